import { expect, test } from "vitest";
import { words as german } from "@/words/de";
import { words as english } from "@/words/en";
import { pseudo } from "@/words/pseudo";

const blanks = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();

test.each(Object.entries(english))("%s has the same blanks in both languages", (key, text) => {
  expect(blanks(german[key as keyof typeof german])).toEqual(blanks(text));
});

test("the pseudo-locale keeps blanks and is longer", () => {
  expect(pseudo({ a: "Step {n} of {all}" }).a).toMatch(/^\[.*\{n\}.*\{all\}·+\]$/);
});
