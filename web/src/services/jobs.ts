import { Refused, refusal, send } from "./api";
import type { components } from "./schema";
import { events } from "./sse";

export type State = components["schemas"]["Training"]["state"];

/** A job of any kind, as far as it is told of each. */
export interface Job {
  id: string;
  name: string;
  state: State;
  figures: Record<string, unknown>;
}

/** One thing that a worker told. `at_s` is the server's clock. */
export interface JobEvent {
  number: number;
  at_s: number;
  kind: string;
  [told: string]: unknown;
}

const LIVE: readonly State[] = ["queued", "running", "stopping"];

/** Whether it runs or waits. */
export const isLive = ({ state }: Pick<Job, "state">) => LIVE.includes(state);
/** Whether there is something to go on with. */
export const canResume = ({ state }: Pick<Job, "state">) =>
  state === "stopped" || state === "cancelled" || state === "failed";

/** Where a job's figures are kept, by their names. */
export function figure(job: Pick<Job, "figures">, name: string): number | null {
  const value = job.figures[name];
  return typeof value === "number" ? value : null;
}

/** What was told at a job's address behind an event, and what is told; ends when it is at rest. Throws `Refused`. */
export async function* told(at: string, after: number, signal: AbortSignal): AsyncGenerator<JobEvent> {
  const response = await send(new URL(`${at}/events?after=${after}`, location.origin).href, { signal });
  if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  for await (const { data } of events(response)) {
    if (data === "[DONE]") return;
    yield JSON.parse(data) as JobEvent;
  }
  throw new Refused("unreachable", 0);
}
