import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import { kept } from "@/services/storage";

export type Theme = "system" | "light" | "dark";
/** `xx` is the pseudo-locale of the tests. */
export type Language = "en" | "de" | "xx";

interface Preferences {
  theme: Theme;
  language: Language;
  isSidebarShown: boolean;
  /** Follow an answer to its end while the reader is at the bottom. */
  isFollowing: boolean;
  /** Enter makes a new line on touch screens, and the button sends. */
  isEnterSending: boolean;
  isTourDone: boolean;
  set: (values: Partial<Omit<Preferences, "set">>) => void;
}

function spoken(): Language {
  return navigator.language.startsWith("de") ? "de" : "en";
}

/** What this browser prefers; kept in it, and shared by its tabs. `public/theme.js` reads the theme before the first paint. */
export const usePreferences = create<Preferences>()(
  persist(
    (set) => ({
      theme: "system",
      language: spoken(),
      isSidebarShown: true,
      isFollowing: true,
      isEnterSending: !matchMedia("(pointer: coarse)").matches,
      isTourDone: false,
      set: (values) => set(values),
    }),
    { name: "paddock.preferences", storage: createJSONStorage(() => kept) },
  ),
);

const dark = matchMedia("(prefers-color-scheme: dark)");

function show({ theme, language }: Preferences): void {
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && dark.matches));
  document.documentElement.lang = language === "xx" ? "en" : language;
}

usePreferences.subscribe(show);
dark.addEventListener("change", () => show(usePreferences.getState()));
addEventListener("storage", (event) => {
  if (event.key === "paddock.preferences") void usePreferences.persist.rehydrate();
});
show(usePreferences.getState());
