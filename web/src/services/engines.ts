import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";

export interface Outcome {
  name: string;
  status: "pass" | "fail" | "skip";
  reason: string;
}

export interface Speed {
  reading: number | null;
  generation: number | null;
}

/** What a build showed before it came into use. */
export interface Canary {
  against: string;
  status: "passed" | "failed" | "skipped";
  made_s: number;
  reasons: string[];
  expectations: Outcome[];
  clients: Outcome[];
  models: {
    model: string;
    status: Outcome["status"];
    reason: string;
    repetitions: { new: Speed; active: Speed }[];
  }[];
  notes: string[];
}

export interface Build {
  name: string;
  origin: "release" | "source" | "path";
  accelerator: string;
  tag: string;
  version: string;
  devices: string[];
  installed_s: number;
  is_whole: boolean;
  canary: Canary | null;
}

export interface Offer {
  name: string;
  fits: boolean;
  reason: string;
  accelerator: string;
  size_bytes: number;
}

export interface Job {
  number: number;
  do: "look" | "install" | "use" | "remove";
  build: string | null;
  state: "running" | "cancelling" | "done" | "failed" | "cancelled";
  begun_s: number;
  ended_s: number | null;
  lines: string[];
  done: number | null;
  total: number | null;
  unit: "bytes" | "percent";
  per_s: number | null;
  seconds_left: number | null;
  result: { build?: string; tag?: string; newest?: string | null; offers?: Offer[] } | null;
  error: { kind: string; message: string } | null;
}

export interface Engines {
  running: string;
  active: string;
  previous: string | null;
  is_chosen_by_setting: boolean;
  pinned_tag: string;
  fault: string | null;
  can_change: boolean;
  why_not: string | null;
  builds: Build[];
  job: Job | null;
}

export const EMBEDDED = "embedded";
const EVERY_MS = 700;

export const isGoing = (job: Job | null | undefined) =>
  job?.state === "running" || job?.state === "cancelling";

/** What is here, and the job that is done on it, asked again and again while that runs. */
export const allEngines = queryOptions({
  queryKey: ["api", "engines"],
  queryFn: ({ signal }) => ask<Engines>("GET", "/api/engines", undefined, signal),
  refetchInterval: ({ state }) => (isGoing(state.data?.job) ? EVERY_MS : false),
});

export type Order =
  | { do: "look"; tag?: string; afresh: boolean }
  | { do: "install"; build?: string; tag?: string; from_source?: boolean }
  | { do: "use"; build: string; anyway?: boolean }
  | { do: "remove"; build: string }
  | { do: "job/cancel" };

/** Begin a job, or cancel the one that runs. Throws `Refused`. */
export const order = ({ do: deed, ...body }: Order) => ask<Job>("POST", `/api/engines/${deed}`, body);
