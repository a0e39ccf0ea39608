import { useCallback } from "react";
import { create } from "zustand";
import { type Language, usePreferences } from "@/stores/preferences";
import { words as english } from "./en";
import { pseudo } from "./pseudo";

export type Key = keyof typeof english;
export type Values = Record<string, string | number>;
export type Translate = (key: Key, values?: Values) => string;
type Catalogue = Record<Key, string>;

/** The catalogues that are here. A reader of one language does not load the others. */
const useCatalogues = create<Partial<Record<Language, Catalogue>>>()(() => ({ en: english }));

/** Have the sentences of a language at hand. Until then, and where they cannot be loaded, the English ones are shown. */
export async function learn(language: Language): Promise<void> {
  if (useCatalogues.getState()[language]) return;
  try {
    const learned = language === "xx" ? pseudo(english) : (await import("./de")).words;
    useCatalogues.setState({ [language]: learned });
  } catch {
    // The server is away; whatever is asked of it next says so.
  }
}

usePreferences.subscribe(({ language }) => void learn(language));

function filled(catalogue: Catalogue, language: Language, key: Key, values: Values): string {
  return catalogue[key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(tagOf(language)).format(value) : value;
  });
}

/** The tag that `Intl` knows a language by. */
export function tagOf(language: Language): string {
  return language === "xx" ? "en" : language;
}

/** The sentences of the page in the reader's language, their `{names}` filled in. */
export function useWords(): Translate {
  const language = usePreferences((state) => state.language);
  const catalogue = useCatalogues((state) => state[language] ?? english);
  return useCallback((key, values = {}) => filled(catalogue, language, key, values), [catalogue, language]);
}
