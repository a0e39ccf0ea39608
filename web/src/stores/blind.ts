import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import { kept } from "@/services/storage";

const KEPT_AS = "paddock.blind";
const KEPT_QUESTIONS = 200;
const KEPT_VOTES = 5_000;

/** One choice between answers without names. */
interface Vote {
  models: readonly string[];
  /** The one that was chosen; null if neither was better. */
  chosen: string | null;
}

interface Blind {
  /** The questions whose answers have no names until one is chosen, by the message that asks. */
  hidden: readonly string[];
  votes: readonly Vote[];
}

/** Answers that are compared without their models' names, and what was chosen; kept in this browser. */
export const useBlind = create<Blind>()(
  persist((): Blind => ({ hidden: [], votes: [] }), {
    name: KEPT_AS,
    storage: createJSONStorage(() => kept),
  }),
);

/** Whether the answers of a question have no names now. */
export function useIsHidden(question: string | null): boolean {
  return useBlind(({ hidden }) => question !== null && hidden.includes(question));
}

/** Show the names without a choice: of a comparison that is none, or that was gone on from. */
export function showNames(question: string): void {
  useBlind.setState(({ hidden }) => ({ hidden: hidden.filter((one) => one !== question) }));
}

export function hideNames(question: string): void {
  useBlind.setState(({ hidden }) => ({ hidden: [...hidden, question].slice(-KEPT_QUESTIONS) }));
}

/** Keep a choice, and show the names. */
export function vote(question: string, made: Vote): void {
  useBlind.setState(({ hidden, votes }) => ({
    hidden: hidden.filter((one) => one !== question),
    votes: [...votes, made].slice(-KEPT_VOTES),
  }));
}

/** How often each of these models was chosen when all of them answered; "" counts where neither was better. */
export function tallyOf(votes: readonly Vote[], models: readonly string[]): Record<string, number> {
  const among = [...models].sort().join("\n");
  const tally: Record<string, number> = {};
  for (const { models: those, chosen } of votes)
    if ([...those].sort().join("\n") === among) tally[chosen ?? ""] = (tally[chosen ?? ""] ?? 0) + 1;
  return tally;
}

/** The same things in an order that tells nothing. */
export function shuffled<T>(things: readonly T[]): T[] {
  const left = [...things];
  return things.flatMap(() => left.splice(Math.floor(Math.random() * left.length), 1));
}

/** Have what another tab of this browser hides and counts here too. Returns what ends that. */
export function watchBlind(): () => void {
  const changed = ({ key }: StorageEvent) => {
    if (key === KEPT_AS) void useBlind.persist.rehydrate();
  };
  addEventListener("storage", changed);
  return () => removeEventListener("storage", changed);
}
