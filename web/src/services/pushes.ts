import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { at } from "./exports";
import { isLive } from "./jobs";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Push = Schemas["Push"];
export type PushCard = Schemas["PushCard"];
export type PushWish = Pick<Schemas["PushRequest"], "repo" | "is_public" | "uncertified">;

const EVERY_MS = 1000;

/** The pushes of an export, the newest first. */
export const pushesOf = (id: string) =>
  queryOptions({
    queryKey: ["api", "pushes", id],
    queryFn: ({ signal }) =>
      ask<Schemas["PushList"]>("GET", `/api/pushes?export=${encodeURIComponent(id)}`, undefined, signal),
    refetchInterval: ({ state }) => (state.data?.data.some(isLive) ? EVERY_MS : false),
  });

/** What a push would send; nobody is asked for it. */
export const foresee = (id: string, wish: PushWish) => ask<PushCard>("POST", `${at(id)}/card`, wish);
export const startPush = (id: string, wish: PushWish) => ask<Push>("POST", `${at(id)}/push`, wish);
export const changePush = (id: string, deed: "cancel" | "resume") =>
  ask<Push>("POST", `/api/pushes/${encodeURIComponent(id)}/${deed}`);
