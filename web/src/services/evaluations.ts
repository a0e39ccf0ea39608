import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { isLive } from "./jobs";
import type { components } from "./schema";

export type Evaluation = components["schemas"]["Evaluation"];

/** The newest score of a model's very file and template, as the list of models tells it. */
export interface Score {
  id: string;
  passed: number;
  of: number;
  share: number;
  low: number;
  high: number;
}

/** One try that did not pass: what was asked, what came, and what is wrong with it. */
export interface Failed {
  case: string;
  name: string;
  said: string;
  why: string;
  asked: { messages?: { role: string; content: unknown }[] }[];
}

const EVERY_MS = 2000;
const at = (id: string) => `/api/evaluations/${encodeURIComponent(id)}`;

export const oneEvaluation = (id: string) =>
  queryOptions({
    queryKey: ["evaluations", id],
    queryFn: ({ signal }) => ask<Evaluation>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) => (state.data && isLive(state.data) ? EVERY_MS : false),
    retry: false,
  });

/** What an evaluation found in all; null where it is not whole, or measured texts alone. */
export function scoreOf(job: Evaluation): Score | null {
  const report = job.figures.report as { total?: Omit<Score, "id"> | null } | undefined;
  return report?.total ? { ...report.total, id: job.id } : null;
}

export const failedTries = (id: string) =>
  queryOptions({
    queryKey: ["evaluations", id, "failed"],
    queryFn: async ({ signal }) =>
      (await ask<{ data: Failed[] }>("GET", `${at(id)}/results?failed=true`, undefined, signal)).data,
  });
