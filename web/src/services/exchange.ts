import { Refused, send } from "./api";
import { events } from "./sse";

/** One event of an answer, and when this tab had it, in ms since the request was sent. */
export interface Arrived {
  at_ms: number;
  event: string;
  data: string;
}

export interface Exchange {
  status: number;
  headers: [string, string][];
  /** When the status came, in ms since the request was sent. */
  status_ms: number;
}

interface Listener {
  onHead: (head: Exchange) => void;
  onEvents: (arrived: Arrived[]) => void;
}

/** Send a body as it is and tell of the answer as it comes. Throws `Refused` where nothing answers, or an AbortError. */
export async function exchange(
  path: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  { onHead, onEvents }: Listener,
): Promise<void> {
  const began = performance.now();
  const now = () => performance.now() - began;
  const response = await send(new URL(path, location.origin).href, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/json", ...headers },
    signal,
  });
  onHead({ status: response.status, headers: [...response.headers].sort(), status_ms: now() });
  try {
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      for await (const { event, data } of events(response)) onEvents([{ at_ms: now(), event, data }]);
    } else {
      onEvents([{ at_ms: now(), event: "body", data: await response.text() }]);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused("unreachable", 0);
  }
}
