import { queryOptions } from "@tanstack/react-query";
import { ask, refusal, send } from "./api";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Collection = Schemas["Collection"];
export type Collections = Schemas["CollectionList"];
export type CollectionWhole = Schemas["CollectionWhole"];
export type Document = Schemas["Document"];
export type FoundPassages = Schemas["FoundPassages"];
export type PassageView = Schemas["PassageView"];
export type Synced = Schemas["Synced"];

const EVERY_MS = 1000;
const AT_WORK = ["waiting", "reading", "embedding"];
const PATH = "/api/knowledge";
const at = (id: string) => `${PATH}/${encodeURIComponent(id)}`;

/** Whether something is still to be done of what it holds. */
export const isAtWork = ({ states }: Pick<Collection, "states">) => AT_WORK.some((state) => states[state]);

export const collections = queryOptions({
  queryKey: ["api", "knowledge"],
  queryFn: ({ signal }) => ask<Collections>("GET", PATH, undefined, signal),
  refetchInterval: ({ state }) => (state.data?.data.some(isAtWork) ? EVERY_MS : false),
});

export const oneCollection = (id: string) =>
  queryOptions({
    queryKey: ["api", "knowledge", id],
    queryFn: ({ signal }) => ask<CollectionWhole>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) => (state.data && isAtWork(state.data) ? EVERY_MS : false),
  });

export const passage = (number: string) =>
  queryOptions({
    queryKey: ["api", "knowledge-passage", number],
    queryFn: ({ signal }) =>
      ask<PassageView>("GET", `${PATH}/passages/${encodeURIComponent(number)}`, undefined, signal),
    retry: false,
  });

export const knowledge = {
  create: (name: string) => ask<Collection>("POST", PATH, { name }),
  remove: (id: string) => ask<unknown>("DELETE", at(id)),
  removeDocument: (id: string, document: string) =>
    ask<unknown>("DELETE", `${at(id)}/documents/${encodeURIComponent(document)}`),
  cancel: (id: string) => ask<unknown>("POST", `${at(id)}/cancel`),
  resume: (id: string) => ask<unknown>("POST", `${at(id)}/resume`),
  sync: (id: string) => ask<Synced>("POST", `${at(id)}/sync`),
  search: (id: string, query: string) =>
    ask<FoundPassages>("POST", `${PATH}/search`, { collections: [id], query, limit: 10, way: "both" }),
  add: async (id: string, file: File): Promise<void> => {
    const url = new URL(`${at(id)}/documents?${new URLSearchParams({ name: file.name })}`, location.origin)
      .href;
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await send(url, { method: "POST", body: file, headers });
    if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  },
};
