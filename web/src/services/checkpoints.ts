import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Checkpoint = Schemas["Checkpoint"];
export type CheckpointTry = Schemas["CheckpointTry"];

const EVERY_MS = 1000;
const WHILE_TRAINED_MS = 5000;

const at = (id: string) => `/api/training/${encodeURIComponent(id)}/checkpoints`;

/** Whether one is being made ready to be tried. */
export const isMade = (tried: CheckpointTry | null) =>
  tried !== null && ["queued", "running", "stopping"].includes(tried.state);

/** The checkpoints of a training, the last first; looked at again while it runs, or one is made ready. */
export const checkpoints = (id: string, isTraining: boolean) =>
  queryOptions({
    queryKey: ["api", "training", id, "checkpoints"],
    queryFn: ({ signal }) => ask<Schemas["CheckpointList"]>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) =>
      state.data?.data.some(({ tried }) => isMade(tried)) ? EVERY_MS : isTraining ? WHILE_TRAINED_MS : false,
  });

export const tryCheckpoint = (id: string, step: number) =>
  ask<Checkpoint>("POST", `${at(id)}/${step}/try`, { model: "" });
export const forgetTry = (id: string, step: number) => ask<unknown>("DELETE", `${at(id)}/${step}/try`);

/** The name by which so much of what was learnt is asked. */
export const scaled = ({ model, takes_scale }: CheckpointTry, scale: number) =>
  takes_scale && scale !== 1 ? `${model}:${scale}` : model;
