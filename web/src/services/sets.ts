import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type SetSummary = Schemas["SetSummary"];
export type SetLook = Schemas["SetLook"];
export type OwnSet = Schemas["EvaluationSet"];

const SETS = "/api/evaluation-sets";
const at = (id: string) => `${SETS}/${encodeURIComponent(id)}`;

export const sets = queryOptions({
  queryKey: ["evaluation-sets"],
  queryFn: async ({ signal }) => (await ask<Schemas["SetList"]>("GET", SETS, undefined, signal)).data,
});

export const oneSet = (id: string) =>
  queryOptions({
    queryKey: [...sets.queryKey, id],
    queryFn: ({ signal }) => ask<OwnSet>("GET", at(id), undefined, signal),
    retry: false,
    // It is filled into a form: an older one would be kept over a newer.
    gcTime: 0,
  });

/** What lines hold, and what is wrong with each. */
export const look = (lines: string) =>
  queryOptions({
    queryKey: [...sets.queryKey, "look", lines],
    queryFn: ({ signal }) => ask<SetLook>("POST", `${SETS}/check`, { lines }, signal),
    retry: false,
    gcTime: 0,
  });

/** Keep a set, in place of the one of an id where there is one. */
export const keepSet = (id: string | null, name: string, lines: string) =>
  ask<OwnSet>(id ? "PUT" : "POST", id ? at(id) : SETS, { name, lines });
export const removeSet = (id: string) => ask<unknown>("DELETE", at(id));
