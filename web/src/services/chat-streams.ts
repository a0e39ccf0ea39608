import type { ResponseEvent } from "./answer-reader";
import { Refused, refusal, send } from "./api";
import type { Change } from "./chat-shapes";
import { events } from "./sse";

async function* read(response: Response): AsyncGenerator<ResponseEvent> {
  if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  for await (const { data } of events(response))
    if (data !== "[DONE]") yield JSON.parse(data) as ResponseEvent;
}

/** The events of a background response after number `after`, live while it goes on. */
export async function* watch(id: string, after: number, signal: AbortSignal): AsyncGenerator<ResponseEvent> {
  const from = after >= 0 ? `&starting_after=${after}` : "";
  yield* read(
    await send(new URL(`/v1/responses/${id}?stream=true${from}`, location.origin).href, { signal }),
  );
}

/** The events of a response that nobody keeps. */
export async function* respond(body: object, signal: AbortSignal): AsyncGenerator<ResponseEvent> {
  const headers = { "Content-Type": "application/json" };
  const init = {
    method: "POST",
    body: JSON.stringify({ ...body, stream: true, store: false }),
    headers,
    signal,
  };
  yield* read(await send(new URL("/v1/responses", location.origin).href, init));
}

/** How far a stream of changes was followed, over the times at which it was not. */
export interface Followed {
  last: string;
  isBegun: boolean;
}

/** Follow what changes in all chats, over lost connections, until `signal`; `reset` means: read again what is shown. */
export async function follow(
  tell: (change: Change) => void,
  signal: AbortSignal,
  so: Followed,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const url = new URL("/api/chats/events", location.origin);
      if (so.last) url.searchParams.set("after", so.last);
      const response = await send(url.href, { signal });
      if (!response.ok) throw refusal(null, response.status);
      if (so.isBegun && !so.last) tell({ kind: "reset" });
      so.isBegun = true;
      for await (const { event, data, id } of events(response)) {
        if (id) so.last = id;
        tell({ kind: event, ...(JSON.parse(data) as object) } as Change);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status >= 400 && error.status !== 401) so.last = "";
    }
    await pause(1_000, signal);
  }
}

/** Wait, or less if `signal` comes first. */
export function pause(wait_ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wait_ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
