import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
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

export const failedTries = (id: string) =>
  queryOptions({
    queryKey: ["evaluations", id, "failed"],
    queryFn: async ({ signal }) =>
      (
        await ask<{ data: Failed[] }>(
          "GET",
          `/api/evaluations/${encodeURIComponent(id)}/results?failed=true`,
          undefined,
          signal,
        )
      ).data,
  });
