import { expect, test } from "vitest";
import { changesOf, draftOf, isWrong } from "@/components/models/settings-fields";
import { short } from "@/components/models/short";
import { contexts, escaped, type Plan, shares } from "@/services/plans";

test("contexts to choose from double up to what a model was trained for", () => {
  expect(contexts(10_000)).toEqual([2048, 4096, 8192, 10_000]);
  expect(contexts(512)).toEqual([512]);
  expect(contexts(8192, 3000)).toEqual([2048, 3000, 4096, 8192]);
});

test("a plan's memory is told without what takes none", () => {
  const memory = { weights_bytes: 5, kv_bytes: 0, overhead_bytes: 2, total_bytes: 7 };
  expect(shares({ memory } as unknown as Plan)).toEqual([
    { purpose: "weights", bytes: 5 },
    { purpose: "overhead", bytes: 2 },
  ]);
});

test("only what was changed is set, and what was emptied is cleared", () => {
  const before = draftOf({ temperature: 0.7, slots: 2, pinned: true, kv_type: "q8_0" }, "");
  const after = {
    ...before,
    temperature: "0,4",
    slots: " ",
    pinned: "",
    chat_template: "{{ x }}",
    top_k: "20",
  };
  expect(changesOf(before, before)).toEqual({});
  expect(changesOf(before, after)).toEqual({
    temperature: 0.4,
    slots: null,
    pinned: null,
    chat_template: "{{ x }}",
    top_k: 20,
  });
});

test.each([
  ["", false],
  ["0.5", false],
  ["0,5", false],
  ["5.1", true],
  ["-1", true],
  ["much", true],
])("%s is judged as a temperature", (text, isBad) => {
  expect(isWrong(text, 0, 5, 0.05)).toBe(isBad);
});

test("half a slot is wrong", () => {
  expect(isWrong("1.5", 1, 64, 1)).toBe(true);
  expect(isWrong("2", 1, 64, 1)).toBe(false);
});

test("counts of parameters are told shortly", () => {
  const number = (value: number) => String(Math.round(value * 10) / 10);
  expect(short(4_790_784, number)).toBe("4.8 M");
  expect(short(7_240_000_000, number)).toBe("7.2 B");
});

test("an id keeps its slashes in a path and loses nothing else", () => {
  expect(escaped("org/repo:Q4 K?")).toBe("org/repo%3AQ4%20K%3F");
});
