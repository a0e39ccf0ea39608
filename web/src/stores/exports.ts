import { create } from "zustand";
import { at } from "@/services/exports";
import { type JobEvent, told } from "@/services/jobs";
import { EVENTS_MOST, watch } from "./following";

export interface Run {
  /** The last event that is in it. */
  number: number;
  events: JobEvent[];
  /** Everything that is known was told, and no more comes for now. */
  isWhole: boolean;
}

const FRESH: Run = { number: 0, events: [], isWhole: false };

/** What was told of the exports that are looked at, or were. */
export const useExportRuns = create<Record<string, Run>>()(() => ({}));

function take(id: string, news: JobEvent[], isWhole: boolean): void {
  const run = useExportRuns.getState()[id] ?? FRESH;
  if (news.length === 0 && isWhole === run.isWhole) return;
  const events = [...run.events, ...news].slice(-EVENTS_MOST);
  useExportRuns.setState({ [id]: { number: news.at(-1)?.number ?? run.number, events, isWhole } });
}

/** Follow an export while somebody looks. Returns how to stop. */
export const watchExport = (id: string) =>
  watch((after, signal) => told(at(id), after, signal), {
    number: () => useExportRuns.getState()[id]?.number ?? 0,
    take: (news, isWhole) => take(id, news, isWhole),
  });

/** Forget what was removed. */
export function forgetExport(id: string): void {
  useExportRuns.setState(({ [id]: _, ...others }) => others, true);
}
