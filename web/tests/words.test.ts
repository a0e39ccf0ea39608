import { expect, test } from "vitest";
import { words as firstGerman, later as laterGerman } from "@/words/de";
import { words as firstEnglish, later as laterEnglish } from "@/words/en";
import { pseudo } from "@/words/pseudo";

type Later = Record<string, () => Promise<Record<string, string>>>;
const all = async (first: Record<string, string>, later: Later): Promise<Record<string, string>> =>
  Object.assign({}, first, ...(await Promise.all(Object.values(later).map((load) => load()))));
const english = await all(firstEnglish, laterEnglish);
const german = await all(firstGerman, laterGerman);
const blanks = (text = "") => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();

test.each(Object.entries(english))("%s has the same blanks in both languages", (key, text) => {
  expect(blanks(german[key])).toEqual(blanks(text));
});

const FIRST = Object.entries(
  import.meta.glob<string>(["../src/components/{chat,shell,ui}/*.{ts,tsx}", "../src/routes/chat.tsx"], {
    query: "?raw",
    import: "default",
    eager: true,
  }),
);
const comesLater = Object.keys(english).filter((key) => !(key in firstEnglish));

test.each(FIRST)("%s says nothing whose words come with another page", (_, text) => {
  expect(comesLater.filter((key) => text.includes(`"${key}"`))).toEqual([]);
});

test("the pseudo-locale keeps blanks and is longer", () => {
  expect(pseudo({ a: "Step {n} of {all}" }).a).toMatch(/^\[.*\{n\}.*\{all\}·+\]$/);
});
