declare module "@tanstack/react-router" {
  interface HistoryState {
    /** When it was asked to be there. */
    visit_ms?: number;
  }
}

/** The state of an address that is gone to once more although one is there: a new chat, a message that was found. */
export const visit = () => ({ visit_ms: performance.timeOrigin + performance.now() });
