import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { Score } from "./evaluations";
import { escaped, type Plan } from "./plans";

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

/** A model on this machine, as its file tells of it. */
export interface LocalModel {
  id: string;
  size_bytes: number;
  parameter_count: number;
  architecture: string;
  quantization: string;
  trained_context_length: number | null;
  has_chat_template: boolean;
  task: "text" | "embedding" | "ranking";
  origin: string;
  projector: string | null;
  doubtful_projectors: string[];
  copies: { id: string; origin: string }[];
  certificate: Certified | null;
  /** The newest score of each suite for exactly this file and template. */
  evaluations?: { tools?: Score };
}

/** What a model is by the certificate of its export: `changed` where that is of other bytes. */
export interface Certified {
  standing: "pass" | "warn" | "fail" | "changed";
  links: Record<string, string>;
  made_s: number;
  /** The file, or those of its pieces, that hold other bytes. */
  changed: string[];
}

export interface Adapter {
  id: string;
  size_bytes: number;
  architecture: string;
  fits: string[];
  origin: string;
}

export interface Here {
  models: LocalModel[];
  adapters: Adapter[];
  broken: { id: string; origin: string; reason: string }[];
  default: string;
}

export const here = queryOptions({
  queryKey: ["models", "here"],
  queryFn: ({ signal }) => ask<Here>("GET", "/api/models", undefined, signal),
});

/** A model that takes memory now. */
export interface Resident {
  id: string;
  state: "starting" | "ready" | "stopping" | "failed" | "stopped";
  memory_bytes: number;
  context_length: number | null;
  slots: number;
  live_requests: number;
  waiting_requests: number;
  idle_s: number | null;
  pinned: boolean;
}

export interface Loaded {
  models: Resident[];
  waiting: Record<string, number>;
  memory_bytes: number;
  memory_budget_bytes: number | null;
}

export const loaded = queryOptions({
  queryKey: ["models", "loaded"],
  queryFn: ({ signal }) => ask<Loaded>("GET", "/api/models/loaded", undefined, signal),
  refetchInterval: 1000,
});

export interface Fit extends Plan {
  model: string;
  on_gpus: Plan | null;
}

export interface Wish {
  context: number | null;
  slots: number | null;
  kv: string | null;
}

export const planOf = (id: string, wish: Wish) =>
  queryOptions({
    queryKey: ["models", "fit", id, wish],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams();
      if (wish.context) query.set("ctx", String(wish.context));
      if (wish.slots) query.set("slots", String(wish.slots));
      if (wish.kv) query.set("kv", wish.kv);
      return ask<Fit>("GET", `${at(id)}/fit?${query}`, undefined, signal);
    },
  });

export type Setting = string | number | boolean;
export type Settings = Record<string, Setting>;

export const settings = (id: string) =>
  queryOptions({
    queryKey: ["models", "settings", id],
    queryFn: async ({ signal }) =>
      (await ask<{ settings: Settings }>("GET", `${at(id)}/settings`, undefined, signal)).settings,
  });

/** Set what is named, and clear what is null. Answers whether the model runs without it until it is loaded anew. */
export async function change(id: string, changes: Record<string, Setting | null>): Promise<boolean> {
  return (await ask<{ needs_reload: boolean }>("PUT", `${at(id)}/settings`, changes)).needs_reload;
}

export interface Advice {
  applied: Record<string, number>;
  sources: Record<string, "set" | "file" | "family">;
  thinking: boolean;
  family: string | null;
  verified: boolean;
  source: string | null;
}

export const advice = (id: string) =>
  queryOptions({
    queryKey: ["models", "advice", id],
    queryFn: async ({ signal }) => {
      const told = await ask<{ recommended_sampling?: Advice }>(
        "GET",
        `/v1/models/${escaped(id)}`,
        undefined,
        signal,
      );
      return told.recommended_sampling ?? null;
    },
  });

export interface TemplateText {
  from: "model" | "override";
  template: string | null;
  mentions: { tools: boolean; thinking: boolean };
}

export const templateText = (id: string) =>
  queryOptions({
    queryKey: ["models", "template", id],
    queryFn: ({ signal }) => ask<TemplateText>("GET", `${at(id)}/chat-template`, undefined, signal),
  });

export interface TemplateCheck {
  renders: Record<string, boolean>;
  lacks: string[];
}

/** Ask the model's engine what its template renders. This loads the model. */
export const checkTemplate = (id: string) => ask<TemplateCheck>("GET", `${at(id)}/template`);

export interface Removal {
  id: string;
  frees_bytes: number;
  going: { file: string; frees_bytes: number; note: string | null }[];
  staying: { file: string; size_bytes: number; reason: string }[];
  loaded: boolean;
  live_requests: number;
}

export const removal = (id: string) =>
  queryOptions({
    queryKey: ["models", "removal", id],
    queryFn: ({ signal }) => ask<Removal>("GET", `${at(id)}/removal`, undefined, signal),
    gcTime: 0,
    staleTime: 0,
  });

export const remove = (id: string) => ask("DELETE", at(id));
export const load = (id: string, signal?: AbortSignal) => ask("POST", `${at(id)}/load`, {}, signal);
export const unload = (id: string) => ask("POST", `${at(id)}/unload`, {});
export const pin = (id: string) => ask("POST", `${at(id)}/pin`, {});
export const unpin = (id: string) => ask("POST", `${at(id)}/unpin`, {});

export interface Imported {
  imported: { id: string; kind: "model" | "adapter"; kept_as: string }[];
  refused: { file: string; reason: string }[];
}

export const bring = (path: string, name: string) =>
  ask<Imported>("POST", "/api/models/import", name ? { path, name } : { path });

export interface Alias {
  pattern: string;
  model: string;
}

export const aliases = queryOptions({
  queryKey: ["models", "aliases"],
  queryFn: async ({ signal }) =>
    (await ask<{ data: Alias[] }>("GET", "/api/aliases", undefined, signal)).data,
});

export const setAlias = (pattern: string, model: string) =>
  ask("PUT", `/api/aliases/${escaped(pattern)}`, { model });
export const forgetAlias = (pattern: string) => ask("DELETE", `/api/aliases/${escaped(pattern)}`);

export interface Remote {
  name: string;
  url: string;
  state: string;
  since: string | null;
  last_check: string | null;
  reason: string | null;
  models: string[];
}

export interface Remotes {
  remotes: Remote[];
  fault: string | null;
}

export const remotes = queryOptions({
  queryKey: ["models", "remotes"],
  queryFn: ({ signal }) => ask<Remotes>("GET", "/api/remotes", undefined, signal),
});

export const checkRemotes = () => ask<Remotes>("POST", "/api/remotes/check", {});

function at(id: string): string {
  return `/api/models/${escaped(id)}`;
}
