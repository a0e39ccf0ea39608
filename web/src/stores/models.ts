import { create } from "zustand";

export type Tab = "here" | "hub";

/** Which window is open over the list, and for which model. */
export interface Opened {
  kind: "load" | "settings" | "template" | "evaluations" | "remove";
  id: string;
}

interface ModelsView {
  tab: Tab;
  /** What stands in the search field, and what the hub was last asked for; they part while someone types. */
  words: string;
  asked: string;
  opened: Opened | null;
  show: (tab: Tab) => void;
  type: (words: string) => void;
  ask: () => void;
  open: (opened: Opened | null) => void;
}

/** What the page of models shows; kept while other pages are looked at. */
export const useModelsView = create<ModelsView>()((set) => ({
  tab: "here",
  words: "",
  asked: "",
  opened: null,
  show: (tab) => set({ tab }),
  type: (words) => set({ words }),
  ask: () => set(({ words }) => ({ asked: words.trim() })),
  open: (opened) => set({ opened }),
}));
