import { create } from "zustand";
import { Curves } from "@/services/curves";
import { type TrainingEvent, told } from "@/services/training";
import { EVENTS_MOST, watch } from "./following";

export interface Run {
  id: string;
  /** The last event that is in it. */
  number: number;
  /** Grows in place: whoever shows it is told by a new `Run`. */
  curves: Curves;
  events: TrainingEvent[];
  /** Everything that is known was told, and no more comes for now. */
  isWhole: boolean;
}

const fresh = (id: string): Run => ({ id, number: 0, curves: new Curves(), events: [], isWhole: false });

/** The trainings that are looked at, or were: one alone, or several side by side. */
export const useRuns = create<Record<string, Run>>()(() => ({}));

function take(id: string, news: TrainingEvent[], isWhole: boolean): void {
  const run = useRuns.getState()[id] ?? fresh(id);
  if (news.length === 0 && isWhole === run.isWhole) return;
  for (const event of news) run.curves.add(event);
  const others = news.filter(({ kind, of }) => kind !== "step" && of !== "step");
  const events = others.length > 0 ? [...run.events, ...others].slice(-EVENTS_MOST) : run.events;
  const number = news.at(-1)?.number ?? run.number;
  useRuns.setState({ [id]: { ...run, number, events, isWhole } });
}

/** Follow a training while somebody looks. Returns how to stop. */
export const watchTraining = (id: string) =>
  watch((after, signal) => told(id, after, signal), {
    number: () => useRuns.getState()[id]?.number ?? 0,
    take: (news, isWhole) => take(id, news, isWhole),
  });

/** Forget what was removed. */
export function forgetTraining(id: string): void {
  useRuns.setState(({ [id]: _, ...others }) => others, true);
}
