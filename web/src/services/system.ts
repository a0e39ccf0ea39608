import { queryOptions } from "@tanstack/react-query";
import { ask, send } from "./api";
import { events } from "./sse";

export interface Memory {
  total_bytes: number;
  available_bytes: number;
  limit_bytes: number | null;
}

/** What `GET /api/system` tells of the machine and of paddock on it. */
/** What `docs/support.md` has a column for. */
export type Feature =
  | "setup"
  | "upgrade"
  | "serve"
  | "page"
  | "builds-cpu"
  | "builds-cards"
  | "stack-cpu"
  | "stack-cards"
  | "service"
  | "container"
  | "notebook";

export interface SystemFacts {
  version: string;
  python: string;
  system: string;
  started_s: number;
  cpu: {
    name: string;
    architecture: string;
    cores: number;
    usable_cores: number;
    quota_cores: number | null;
    features: string[];
  };
  memory: Memory;
  gpus: { api: string; index: number; name: string; total_bytes: number | null; is_shared: boolean }[];
  gpu_troubles: string[];
  home: { path: string; used_bytes: number; free_bytes: number; disk_bytes: number };
  engine: string;
  /** What kind of machine it is; `experimental` are the features that were never run on one, by their keys. */
  platform: { name: string; experimental: Feature[] };
  can_end: boolean;
}

/** One reading of `GET /api/system/meters`. Shares are 0 to 1; null where nobody tells. */
export interface Reading {
  time_s: number;
  cpu_share: number | null;
  memory: Memory;
  gpus: {
    api: string;
    index: number;
    name: string;
    used_share: number | null;
    used_bytes: number | null;
    total_bytes: number | null;
    celsius: number | null;
  }[];
  processes: { name: string; is_model: boolean; memory_bytes: number; busy_cores: number | null }[];
}

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogLine {
  number: number;
  time_s: number;
  level: LogLevel;
  logger: string;
  message: string;
  request_id: string;
}

export const systemFacts = queryOptions({
  queryKey: ["api", "system"],
  queryFn: ({ signal }) => ask<SystemFacts>("GET", "/api/system", undefined, signal),
  staleTime: 30_000,
});

/** The newest lines of at least a level that contain a text, oldest first. */
export const logLines = (level: LogLevel, contains: string) =>
  queryOptions({
    queryKey: ["api", "system", "log", level, contains],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ level, contains, limit: "500" });
      return (
        await ask<{ lines: LogLine[] }>("GET", `/api/system/log?${query.toString()}`, undefined, signal)
      ).lines;
    },
  });

/** The readings of the machine, one a second, until `signal` ends it. Throws `Refused` where the server is gone. */
export async function* readings(signal: AbortSignal): AsyncGenerator<Reading> {
  const response = await send(new URL("/api/system/meters?stream=true", location.origin).href, { signal });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  for await (const { data } of events(response)) yield JSON.parse(data) as Reading;
}

/** End paddock. */
export const shutDown = () => ask("POST", "/api/shutdown", {});
