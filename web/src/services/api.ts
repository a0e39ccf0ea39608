import createClient from "openapi-fetch";
import type { paths } from "./schema";

/** What the server said when it refused: its sentence, its code, the field that it is about. `status` 0 means no answer. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null = null,
    readonly param: string | null = null,
  ) {
    super(message);
    this.name = "Refused";
  }
}

const KEY = "paddock.key";

/** The API key of this tab, where the server asks for one. It is gone when the tab is closed. */
export const key = {
  get: (): string => {
    try {
      return sessionStorage.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  },
  set: (value: string): void => {
    try {
      sessionStorage.setItem(KEY, value);
    } catch {
      // It is asked for again.
    }
  },
};

type Listener = (isReached: boolean, status: number) => void;
const listeners = new Set<Listener>();

/** Be told of each answer, and of each request that had none. Returns how to stop. */
export function onAnswer(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// How often somebody came in. What was asked before says nothing of who is there now, however late its answer comes.
let entries = 0;

/** Say that somebody came in: by a key, a password or a link. */
export const entered = (): void => {
  entries += 1;
};

/** `fetch` to this server, with its key; a refusal of the network becomes `Refused` with status 0. */
export async function send(input: string | Request, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const word = key.get();
  const entry = entries;
  if (word) request.headers.set("Authorization", `Bearer ${word}`);
  try {
    const response = await fetch(request);
    for (const listener of listeners) listener(true, entry === entries ? response.status : 0);
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    for (const listener of listeners) listener(false, 0);
    throw new Refused("unreachable", 0);
  }
}

/** The typed client of every published route. Prefer `asked(client.GET(…))`, which throws what was refused. */
export const client = createClient<paths>({ baseUrl: location.origin, fetch: (request) => send(request) });

/** The refusal in an answer with a status other than 2xx, in whichever dialect it is. */
export function refusal(body: unknown, status: number): Refused {
  const error = (body as { error?: unknown } | null)?.error;
  if (typeof error === "string") return new Refused(error, status);
  const told = error as
    | { message?: string; code?: string | null; type?: string; param?: string | null }
    | undefined;
  const code = told?.code ?? told?.type ?? null;
  return new Refused(told?.message || `HTTP ${status}`, status, code, told?.param ?? null);
}

/** The data of an answer. Throws `Refused`. */
export async function asked<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw refusal(error, response.status);
  return data as T;
}

/** One JSON request to a route. Throws `Refused`. */
export async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method, signal };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  const response = await send(new URL(path, location.origin).href, init);
  const text = await response.text();
  let said: unknown = null;
  try {
    said = text ? JSON.parse(text) : null;
  } catch {
    said = { error: { message: text.slice(0, 500) } };
  }
  if (!response.ok) throw refusal(said, response.status);
  return said as T;
}
