import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { isLive } from "./jobs";
import type { components } from "./schema";

export type Evaluation = components["schemas"]["Evaluation"];
type Asked = components["schemas"]["EvaluationRequest"];
export type Suite = Exclude<Asked["suite"], "set" | "vote">;
/** What an evaluation is begun of. What is left out is as the server has it. */
export type Wish = Pick<Asked, "suite"> & Partial<Asked>;

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

export const evaluations = queryOptions({
  queryKey: ["evaluations"],
  queryFn: async ({ signal }) =>
    (await ask<components["schemas"]["EvaluationList"]>("GET", "/api/evaluations", undefined, signal)).data,
  refetchInterval: ({ state }) => (state.data?.some(isLive) ? EVERY_MS : false),
});

export const oneEvaluation = (id: string) =>
  queryOptions({
    queryKey: ["evaluations", id],
    queryFn: ({ signal }) => ask<Evaluation>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) => (state.data && isLive(state.data) ? EVERY_MS : false),
    retry: false,
  });

export const startEvaluation = (wish: Wish) => ask<Evaluation>("POST", "/api/evaluations", wish);
export const removeEvaluation = (id: string) => ask<unknown>("DELETE", at(id));
export const changeEvaluation = (id: string, deed: "cancel" | "resume") =>
  ask<Evaluation>("POST", `${at(id)}/${deed}`);

/** What changed from one evaluation to another of the same tries, of one case or in all. Shares are of 1. */
export interface Difference {
  of: number;
  before: number;
  after: number;
  gained: number;
  lost: number;
  difference: number;
  low: number;
  high: number;
  chance: number;
}

export interface Compared {
  left_out: number;
  cases: (Difference & { case: string })[];
  total: Difference | null;
  /** Texts, by bits a byte: less is better. */
  text: {
    texts: number;
    before: number;
    after: number;
    difference: number;
    difference_low: number | null;
    difference_high: number | null;
  } | null;
}

/** The second evaluation beside the first. */
export const against = (before: string, after: string) =>
  queryOptions({
    queryKey: ["evaluations", before, "against", after],
    queryFn: ({ signal }) =>
      ask<Compared>("GET", `${at(before)}/against/${encodeURIComponent(after)}`, undefined, signal),
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
