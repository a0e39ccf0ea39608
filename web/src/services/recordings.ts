import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

/** A recording as `GET /api/requests` lists it. */
export type Listed = components["schemas"]["RecordingHead"];
/** A request that is being answered. */
export type Open = components["schemas"]["OpenShape"];
export type Recordings = components["schemas"]["RecordingList"];

export const LAYERS = ["inbound", "upstream", "prompt", "engine", "events", "outbound"] as const;
export type Layer = (typeof LAYERS)[number];

export type Recorded = components["schemas"]["RecordingShape"];

const POLL_MS = 2_000;

/** The recordings, asked again every 2 s while the tab is looked at. */
export const recordings = queryOptions({
  queryKey: ["api", "requests"],
  queryFn: ({ signal }) => ask<Recordings>("GET", "/api/requests", undefined, signal),
  refetchInterval: POLL_MS,
});

export function recorded(id: string) {
  return queryOptions({
    queryKey: ["api", "requests", id],
    queryFn: ({ signal }) => ask<Recorded>("GET", `/api/requests/${id}`, undefined, signal),
    // A recording never changes.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export const turnRecording = (on: boolean) => ask("POST", "/api/requests/recording", { on });
export const clearRecordings = () => ask<{ removed: number }>("DELETE", "/api/requests");
export const curlOf = async (id: string) =>
  (await ask<{ curl: string }>("GET", `/api/requests/${id}/curl`)).curl;

/** Headers of a recorded request that change what is answered, to be sent with it again. */
export function sentAgain(headers: [string, string][]): Record<string, string> {
  return Object.fromEntries(headers.filter(([name]) => /^(anthropic-|openai-)/.test(name)));
}
