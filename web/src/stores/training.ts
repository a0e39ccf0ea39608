import { create } from "zustand";
import { Refused } from "@/services/api";
import { Curves } from "@/services/curves";
import { type TrainingEvent, told } from "@/services/training";

const AGAIN_MS = 2000;
/** Events beside figures that are kept, the newest. */
export const EVENTS_MOST = 500;

export interface Run {
  id: string;
  /** The last event that is in it: a lost stream goes on behind that, so that nothing comes twice. */
  number: number;
  /** Grows in place: whoever shows it is told by a new `Run`. */
  curves: Curves;
  events: TrainingEvent[];
  /** Everything that is known was told, and no more comes for now. */
  isWhole: boolean;
}

const fresh = (id: string): Run => ({ id, number: 0, curves: new Curves(), events: [], isWhole: false });

/** The trainings that are looked at, or were: one alone, or several side by side. */
export const useRuns = create<Record<string, Run>>()(() => ({}));

/** Events that came since the page was drawn last go in together, once a frame. */
function collector(id: string) {
  let waiting: TrainingEvent[] = [];
  let frame = 0;
  const flush = (isWhole = false) => {
    cancelAnimationFrame(frame);
    frame = 0;
    const run = useRuns.getState()[id] ?? fresh(id);
    const news = waiting.filter(({ number }) => number > run.number);
    waiting = [];
    if (news.length === 0 && isWhole === run.isWhole) return;
    for (const event of news) run.curves.add(event);
    const others = news.filter(({ kind, of }) => kind !== "step" && of !== "step");
    const events = others.length > 0 ? [...run.events, ...others].slice(-EVENTS_MOST) : run.events;
    const number = news.at(-1)?.number ?? run.number;
    useRuns.setState({ [id]: { ...run, number, events, isWhole } });
  };
  const take = (event: TrainingEvent) => {
    waiting.push(event);
    frame ||= requestAnimationFrame(() => flush());
  };
  return { take, flush };
}

async function follow(id: string, signal: AbortSignal): Promise<void> {
  const { take, flush } = collector(id);
  while (!signal.aborted) {
    try {
      for await (const event of told(id, useRuns.getState()[id]?.number ?? 0, signal)) take(event);
      flush(true);
      return;
    } catch (error) {
      // What came before it broke counts: the next stream begins behind it.
      flush();
      if (error instanceof Refused && error.status >= 400 && error.status < 500) return;
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

/** Follow a training while somebody looks; a hidden page lets go, and goes on behind what it has. Returns how to stop. */
export function watchTraining(id: string): () => void {
  let current: AbortController | null = null;
  const settle = () => {
    if (document.hidden) {
      current?.abort();
      current = null;
    } else if (!current) {
      current = new AbortController();
      void follow(id, current.signal);
    }
  };
  document.addEventListener("visibilitychange", settle);
  settle();
  return () => {
    document.removeEventListener("visibilitychange", settle);
    current?.abort();
  };
}

/** Forget what was removed. */
export function forgetTraining(id: string): void {
  useRuns.setState(({ [id]: _, ...others }) => others, true);
}
