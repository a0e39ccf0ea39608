import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import { evaluations } from "./evaluations";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Ballot = Schemas["Ballot"];
export type Pair = Schemas["BallotPair"];
export type Choice = Pair["choice"] & string;
export type Votes = Schemas["VotesTold"];
export type Share = Schemas["VoteShare"];

const EVERY_MS = 2000;
const at = (id: string) => `/api/evaluations/${encodeURIComponent(id)}`;
const keyOf = (id: string) => [...evaluations.queryKey, id, "ballot"];

/** How far a vote is, and a pair: the next that has no vote, or that of a number. While there is none it may come. */
export const ballot = (id: string, number: number | null, isAnswering: boolean) =>
  queryOptions({
    queryKey: [...keyOf(id), number],
    queryFn: ({ signal }) =>
      ask<Ballot>("GET", `${at(id)}/ballot${number === null ? "" : `?number=${number}`}`, undefined, signal),
    refetchInterval: ({ state }) => (isAnswering && state.data?.pair === null ? EVERY_MS : false),
  });

/** Every pair that was answered, and what was chosen; whose the answers are only once the names are shown. */
export const votes = (id: string) =>
  queryOptions({
    queryKey: [...evaluations.queryKey, id, "votes"],
    queryFn: ({ signal }) => ask<Votes>("GET", `${at(id)}/votes`, undefined, signal),
  });

export const choose = (id: string, number: number, choice: Choice) =>
  ask<Ballot>("POST", `${at(id)}/ballot`, { number, choice });
/** Show whose the answers are, which ends the vote. */
export const showNames = (id: string) => ask<Votes>("POST", `${at(id)}/show`);

/** Prompts as they are typed, one a line, as a set. */
export const typedPrompts = (text: string): { prompt: string }[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((prompt) => ({ prompt }));
