import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { escaped, type Plan } from "./plans";

/** A repository that the hub found. */
export interface FoundRepo {
  repo: string;
  downloads: number;
  likes: number;
  changed: string | null;
  task: string | null;
  licence: string | null;
  gated: boolean;
  parameter_count: number | null;
  trained_context_length: number | null;
}

/** Ask the hub. It is asked once for each press of the button, and never by itself. */
export const search = (words: string, signal: AbortSignal) =>
  ask<{ data: FoundRepo[]; most: number }>(
    "GET",
    `/api/hub/search?q=${encodeURIComponent(words)}`,
    undefined,
    signal,
  );

export interface Variant {
  model: string;
  quantization: string;
  size_bytes: number;
  files: string[];
  projector: string | null;
  verdict: "fits" | "tight" | "does not fit";
  is_here: boolean;
  download: { id: string; state: State } | null;
}

export interface Repo {
  repo: string;
  revision: string;
  usual: string | null;
  variants: Variant[];
  licence: string | null;
  gated: boolean;
  trained_context_length: number | null;
  disk_free_bytes: number | null;
}

export const repo = (name: string) =>
  queryOptions({
    queryKey: ["hub", name],
    queryFn: ({ signal }) => ask<Repo>("GET", `/api/hub/${escaped(name)}`, undefined, signal),
    // It was asked for by a press; it is not asked for again because a window was looked at.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    retry: false,
  });

export interface HubPlan extends Plan {
  model: string;
  trained_context_length: number | null;
}

/** Whether a model would fit; the hub is asked for the beginnings of its files. */
export const hubFit = (model: string, context: number | null) =>
  queryOptions({
    queryKey: ["hub", "fit", model, context],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ model, ...(context ? { ctx: String(context) } : {}) });
      return ask<HubPlan>("GET", `/api/hub/fit?${query}`, undefined, signal);
    },
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    retry: false,
  });

export type State = "queued" | "running" | "paused" | "done" | "failed" | "cancelled";

export interface Download {
  id: string;
  model: string;
  state: State;
  created: number;
  done_bytes: number;
  size_bytes: number;
  bytes_per_s: number;
  seconds_left: number | null;
  error: { kind: string; message: string } | null;
}

const MOVING: readonly State[] = ["queued", "running"];

export const downloads = queryOptions({
  queryKey: ["downloads"],
  queryFn: async ({ signal }) =>
    (await ask<{ data: Download[] }>("GET", "/api/downloads", undefined, signal)).data,
  refetchInterval: (query) => (query.state.data?.some((one) => MOVING.includes(one.state)) ? 1000 : 5000),
});

export const fetchModel = (model: string) => ask<Download>("POST", "/api/downloads", { model });
export const steer = (id: string, deed: "pause" | "resume" | "cancel") =>
  ask<Download>("POST", `/api/downloads/${id}/${deed}`, {});
export const forgetDownload = (id: string) => ask("DELETE", `/api/downloads/${id}`);
