import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";

/** What is advised for a model, number by number, and who says so. */
export interface AdvisedSampling {
  applied: Record<string, number>;
  sources: Record<string, string>;
}

export const advisedSampling = (model: string) =>
  queryOptions({
    queryKey: ["v1", "models", model, "sampling"],
    queryFn: async ({ signal }): Promise<AdvisedSampling | null> => {
      const path = `/v1/models/${model.split("/").map(encodeURIComponent).join("/")}`;
      const told = await ask<{ recommended_sampling?: AdvisedSampling }>("GET", path, undefined, signal);
      return told.recommended_sampling ?? null;
    },
    staleTime: 60_000,
  });
