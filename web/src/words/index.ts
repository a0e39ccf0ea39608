import { useCallback } from "react";
import { type Language, usePreferences } from "@/stores/preferences";
import { words as german } from "./de";
import { words as english } from "./en";
import { pseudo } from "./pseudo";

export type Key = keyof typeof english;
export type Values = Record<string, string | number>;
export type Translate = (key: Key, values?: Values) => string;

const catalogues: Record<Language, Record<Key, string>> = { en: english, de: german, xx: pseudo(english) };

/** One sentence in a language, its `{names}` filled in. */
export function say(language: Language, key: Key, values: Values = {}): string {
  return catalogues[language][key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(tagOf(language)).format(value) : value;
  });
}

/** The tag that `Intl` knows a language by. */
export function tagOf(language: Language): string {
  return language === "xx" ? "en" : language;
}

/** The sentences of the page in the reader's language. */
export function useWords(): Translate {
  const language = usePreferences((state) => state.language);
  return useCallback((key, values) => say(language, key, values), [language]);
}
