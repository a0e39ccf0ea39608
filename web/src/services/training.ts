import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { isLive, type JobEvent, told as toldAt } from "./jobs";
import type { components } from "./schema";

export { canResume, figure, isLive } from "./jobs";

type Schemas = components["schemas"];
export type Training = Schemas["Training"];
export type State = Training["state"];
export type Trainings = Schemas["TrainingList"];
export type Estimate = Schemas["TrainingEstimate"];
export type Checked = Schemas["TrainingSpecification"];
export type Value = string | number | boolean;
/** The options that are not at their defaults, or all of them. */
export type Spec = Record<string, Value>;

/** An option as the server describes it. */
export interface Option {
  name: string;
  group: string;
  default: Value;
  kind: "str" | "int" | "float" | "bool";
  help: string;
  unit: string;
  low: number | null;
  high: number | null;
  choices: string[];
  /** Whose default it is. */
  source: string;
  methods: string[];
}

export type TrainingEvent = JobEvent;

const EVERY_MS = 2000;

export const trainings = queryOptions({
  queryKey: ["api", "training"],
  queryFn: ({ signal }) => ask<Trainings>("GET", "/api/training", undefined, signal),
  refetchInterval: ({ state }) => (state.data?.data.some(isLive) ? EVERY_MS : false),
});

const at = (id: string) => `/api/training/${encodeURIComponent(id)}`;

export const training = (id: string) =>
  queryOptions({
    queryKey: ["api", "training", id],
    queryFn: ({ signal }) => ask<Training>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) => (state.data && isLive(state.data) ? EVERY_MS : false),
  });

export const trainingOptions = queryOptions({
  queryKey: ["api", "training-options"],
  queryFn: async ({ signal }) =>
    (await ask<{ data: unknown[] }>("GET", "/api/training/options", undefined, signal)).data as Option[],
  staleTime: Number.POSITIVE_INFINITY,
});

export const startTraining = (spec: Spec, name: string) =>
  ask<Training>("POST", "/api/training", { spec, name });
export const estimateTraining = (spec: Spec) => ask<Estimate>("POST", "/api/training/estimate", { spec });
export const checkOptions = (said: { spec: Spec } | { yaml: string }) =>
  ask<Checked>("POST", "/api/training/options", said);
export type Deed = "stop" | "cancel" | "resume";
export const changeTraining = (id: string, deed: Deed) => ask<Training>("POST", `${at(id)}/${deed}`);
export const removeTraining = (id: string) => ask<unknown>("DELETE", at(id));

/** What is not at its default. */
export function changed(spec: Spec, options: readonly Option[]): Spec {
  const found: Spec = {};
  for (const { name, default: usual } of options) {
    const value = spec[name];
    if (value !== undefined && value !== usual) found[name] = value;
  }
  return found;
}

/** What was told behind an event, and what is told; ends when the training is at rest. Throws `Refused`. */
export const told = (id: string, after: number, signal: AbortSignal) => toldAt(at(id), after, signal);
