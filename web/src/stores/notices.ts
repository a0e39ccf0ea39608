import { create } from "zustand";

export interface Notice {
  id: number;
  kind: "done" | "failed";
  text: string;
  /** The words and the deed of a button, such as an undo. */
  action?: { label: string; run: () => void };
}

interface Notices {
  notices: Notice[];
  tell: (notice: Omit<Notice, "id">) => void;
  dismiss: (id: number) => void;
}

const SHOWN_S = 8;
const MOST = 3;
let last = 0;

/** What the page has to say beside what it shows: things done, with their undo, and things that failed. Failures stay. */
export const useNotices = create<Notices>()((set, get) => ({
  notices: [],
  tell: (notice) => {
    last += 1;
    const id = last;
    set(({ notices }) => ({ notices: [...notices, { ...notice, id }].slice(-MOST) }));
    if (notice.kind === "done") setTimeout(() => get().dismiss(id), SHOWN_S * 1000);
  },
  dismiss: (id) => set(({ notices }) => ({ notices: notices.filter((notice) => notice.id !== id) })),
}));

/** Tell a failure in the server's own words. */
export function tellFailure(error: unknown): void {
  useNotices
    .getState()
    .tell({ kind: "failed", text: error instanceof Error ? error.message : String(error) });
}
