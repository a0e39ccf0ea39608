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

/** Follow what changes in all chats, over lost connections, until `signal`; `reset` means: read again what is shown. */
export async function follow(tell: (change: Change) => void, signal: AbortSignal): Promise<void> {
  let last = "";
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      const url = new URL(
        `/api/chats/events${last ? `?after=${encodeURIComponent(last)}` : ""}`,
        location.origin,
      );
      const response = await send(url.href, { signal });
      if (!response.ok) throw refusal(null, response.status);
      if (!isFirst && !last) tell({ kind: "reset" });
      for await (const { event, data, id } of events(response)) {
        if (id) last = id;
        tell({ kind: event, ...(JSON.parse(data) as object) } as Change);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status >= 400 && error.status !== 401) last = "";
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
