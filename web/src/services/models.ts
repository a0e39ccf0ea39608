import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";

/** A model as `GET /v1/models` lists it. */
export interface ListedModel {
  id: string;
  context_length?: number | null;
}

export const listedModels = queryOptions({
  queryKey: ["v1", "models"],
  queryFn: async ({ signal }) =>
    (await ask<{ data: ListedModel[] }>("GET", "/v1/models", undefined, signal)).data,
});
