import { Refused } from "@/services/api";
import type { JobEvent } from "@/services/jobs";

const AGAIN_MS = 2000;
/** Events that are kept of a job, the newest. */
export const EVENTS_MOST = 500;

/** Where what a job tells goes. */
export interface Taker {
  /** The last event that is there: a lost stream goes on behind that, so that nothing comes twice. */
  number: () => number;
  /** Events that came since the page was drawn last; `isWhole` once everything was told, and no more comes for now. */
  take: (news: JobEvent[], isWhole: boolean) => void;
}

type Stream = (after: number, signal: AbortSignal) => AsyncGenerator<JobEvent>;

/** Events that came since the page was drawn last go in together, once a frame. */
function collector({ number, take }: Taker) {
  let waiting: JobEvent[] = [];
  let frame = 0;
  const flush = (isWhole = false) => {
    cancelAnimationFrame(frame);
    frame = 0;
    const last = number();
    const news = waiting.filter((event) => event.number > last);
    waiting = [];
    take(news, isWhole);
  };
  const add = (event: JobEvent) => {
    waiting.push(event);
    frame ||= requestAnimationFrame(() => flush());
  };
  return { add, flush };
}

async function follow(stream: Stream, taker: Taker, signal: AbortSignal): Promise<void> {
  const { add, flush } = collector(taker);
  while (!signal.aborted) {
    try {
      for await (const event of stream(taker.number(), signal)) add(event);
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

/** Follow a job while somebody looks; a hidden page lets go, and goes on behind what it has. Returns how to stop. */
export function watch(stream: Stream, taker: Taker): () => void {
  let current: AbortController | null = null;
  const settle = () => {
    if (document.hidden) {
      current?.abort();
      current = null;
    } else if (!current) {
      current = new AbortController();
      void follow(stream, taker, current.signal);
    }
  };
  document.addEventListener("visibilitychange", settle);
  settle();
  return () => {
    document.removeEventListener("visibilitychange", settle);
    current?.abort();
  };
}
