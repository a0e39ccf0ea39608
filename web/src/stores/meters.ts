import { create } from "zustand";
import { type Reading, readings } from "@/services/system";

/** Readings that a line shows: two minutes. */
export const KEPT = 120;
const AGAIN_MS = 2000;

interface Meters {
  /** The newest last. */
  readings: Reading[];
  isLive: boolean;
}

export const useMeters = create<Meters>()(() => ({ readings: [], isLive: false }));

let watchers = 0;
let current: AbortController | null = null;

async function run(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const reading of readings(signal)) {
        const kept = useMeters.getState().readings;
        const last = kept.at(-1);
        // After a pause the line would join what was far apart.
        const before = last && reading.time_s - last.time_s < 10 ? kept : [];
        useMeters.setState({ readings: [...before, reading].slice(-KEPT), isLive: true });
      }
    } catch {
      // Told as "no longer live" below; the shell tells of a server that is gone.
    }
    if (signal.aborted) return;
    useMeters.setState({ isLive: false });
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

function settle(): void {
  const isWanted = watchers > 0 && !document.hidden;
  if (isWanted && !current) {
    current = new AbortController();
    void run(current.signal);
  } else if (!isWanted && current) {
    current.abort();
    current = null;
    useMeters.setState({ isLive: false });
  }
}

document.addEventListener("visibilitychange", settle);

/** Have the meters read for as long as somebody looks. Returns how to stop. */
export function watchMeters(): () => void {
  watchers += 1;
  settle();
  return () => {
    watchers -= 1;
    settle();
  };
}
