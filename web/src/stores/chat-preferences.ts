import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import { kept } from "@/services/storage";

interface ChatPreferences {
  /** The model that was chosen last; new chats begin with it. */
  model: string | null;
  isThoughtOpen: boolean;
  isPanelShown: boolean;
  /** Whether answers side by side have no names until one is chosen. */
  isBlind: boolean;
  /** Whether a screen reader is told each answer, once, sentence by sentence. */
  isReadOut: boolean;
  set: (values: Partial<Omit<ChatPreferences, "set">>) => void;
}

/** What this browser prefers of chats; kept in it. */
export const useChatPreferences = create<ChatPreferences>()(
  persist(
    (set) => ({
      model: null,
      isThoughtOpen: false,
      isPanelShown: false,
      isBlind: false,
      isReadOut: false,
      set: (values) => set(values),
    }),
    { name: "paddock.chat", storage: createJSONStorage(() => kept) },
  ),
);
