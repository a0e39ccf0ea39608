import { useCallback } from "react";
import { create } from "zustand";
import { type Language, usePreferences } from "@/stores/preferences";
import { words as english, later as laterEnglish } from "./en";
import type { api } from "./en/api";
import type { engines } from "./en/engines";
import type { evaluations } from "./en/evaluations";
import type { exports } from "./en/exports";
import type { knowledge } from "./en/knowledge";
import type { models } from "./en/models";
import type { training } from "./en/training";
import type { transfer } from "./en/transfer";
import { pseudo } from "./pseudo";

export type Key =
  | keyof typeof english
  | keyof typeof models
  | keyof typeof api
  | keyof typeof engines
  | keyof typeof training
  | keyof typeof exports
  | keyof typeof evaluations
  | keyof typeof knowledge
  | keyof typeof transfer;
export type Values = Record<string, string | number>;
export type Translate = (key: Key, values?: Values) => string;
/** The areas of the page whose sentences come with their pages. */
export type Area = keyof typeof laterEnglish;
type Catalogue = Partial<Record<Key, string>>;

/** The sentences that are here, by language. A reader of one language does not load the others. */
const useCatalogues = create<Record<Language, Catalogue>>()(() => ({ en: english, de: {}, xx: {} }));
const wanted = new Set<Area>();

/** Have the sentences of a language at hand, for every area that was wanted. English ones stand in until then. */
async function learn(language: Language): Promise<void> {
  const later = language === "de" ? (await import("./de")).later : laterEnglish;
  const first = language === "de" ? (await import("./de")).words : english;
  const parts = await Promise.all([...wanted].map((area) => later[area]()));
  const learned: Record<string, string> = Object.assign({}, first, ...parts);
  useCatalogues.setState({ [language]: language === "xx" ? pseudo(learned) : learned });
}

/** Have the sentences of an area, or of the first page alone, in the reader's language. Never fails. */
export async function prepareWords(area?: Area): Promise<void> {
  if (area) wanted.add(area);
  const { language } = usePreferences.getState();
  // Where the server is away, whatever is asked of it next says so.
  await Promise.all((language === "en" ? (["en"] as const) : (["en", language] as const)).map(learn)).catch(
    () => undefined,
  );
}

usePreferences.subscribe(({ language }, { language: before }) => {
  if (language !== before) void prepareWords();
});

function filled(sentence: string, language: Language, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
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
  const own = useCatalogues((state) => state[language]);
  const other = useCatalogues((state) => state.en);
  return useCallback(
    (key, values = {}) => {
      const sentence = (name: Key) => own[name] ?? other[name];
      // What is told of one thing may have a sentence of its own.
      const ofOne = values.n === 1 ? sentence(`${key}.one` as Key) : undefined;
      return filled(ofOne ?? sentence(key) ?? key, language, values);
    },
    [own, other, language],
  );
}
