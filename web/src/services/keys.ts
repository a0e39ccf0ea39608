import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

/** A key as `GET /api/keys` tells it. Times are seconds since 1970. */
export type ApiKey = components["schemas"]["KeyShape"];

export type WantedKey = Partial<components["schemas"]["KeyRequest"]>;

export const apiKeys = queryOptions({
  queryKey: ["api", "keys"],
  queryFn: ({ signal }) => ask<components["schemas"]["KeyList"]>("GET", "/api/keys", undefined, signal),
});

export const createKey = (wanted: WantedKey) =>
  ask<components["schemas"]["NewKey"]>("POST", "/api/keys", wanted);
/** The models of a field, between commas. */
export const modelsIn = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
export const revokeKey = (id: string) => ask("DELETE", `/api/keys/${encodeURIComponent(id)}`);
