import { forget, keep, readKept } from "@/services/storage";
import { changed, type Option, type Spec } from "@/services/training";

/** One for a new training, one for those that are begun from another. */
const KEPT = { new: "paddock.training.draft", clone: "paddock.training.clone" };

/** A training as it was filled in and not begun; `from` is the one that it was begun from, "" where it is none's. */
export interface TrainingDraft {
  from: string;
  values: Spec;
  name: string;
  isExpert: boolean;
}

const slot = (from: string) => (from ? KEPT.clone : KEPT.new);

export function keepTrainingDraft(draft: TrainingDraft): void {
  keep(slot(draft.from), JSON.stringify(draft));
}

export function forgetTrainingDraft(from: string): void {
  forget(slot(from));
}

/** What was filled in before, of the options that there are; null where nothing was. */
export function recallTrainingDraft(from: string, options: readonly Option[]): TrainingDraft | null {
  try {
    const kept = JSON.parse(readKept(slot(from)) ?? "null") as TrainingDraft | null;
    if (kept?.from !== from) return null;
    return {
      from,
      values: changed(kept.values, options),
      name: String(kept.name),
      isExpert: kept.isExpert === true,
    };
  } catch {
    // What another version kept is no draft.
    return null;
  }
}
