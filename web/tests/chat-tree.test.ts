import { expect, test } from "vitest";
import type { Message } from "@/services/chat-shapes";
import { branch, leafUnder, type Messages, siblings, textOf, without } from "@/stores/chat-tree";

function tree(...rows: [string, string | null][]): Messages {
  return Object.fromEntries(
    rows.map(([id, parent_id], place) => [id, { id, parent_id, created_s: place } as Message]),
  );
}

const MESSAGES = tree(["a", null], ["b", "a"], ["c", "b"], ["d", "a"], ["e", "d"], ["f", null]);

test("a branch goes from the root through its leaf to the newest end", () => {
  expect(branch(MESSAGES, "c")).toEqual(["a", "b", "c"]);
  expect(branch(MESSAGES, "d")).toEqual(["a", "d", "e"]);
  expect(branch(MESSAGES, "a")).toEqual(["a", "d", "e"]);
  expect(branch(MESSAGES, "gone")).toEqual(["f"]);
  expect(branch(MESSAGES, null)).toEqual(["f"]);
  expect(branch({}, null)).toEqual([]);
});

test("siblings stand in the order in which they came, roots too", () => {
  expect(siblings(MESSAGES, "d")).toEqual(["b", "d"]);
  expect(siblings(MESSAGES, "a")).toEqual(["a", "f"]);
  expect(leafUnder(MESSAGES, "b")).toBe("c");
});

test("what is beneath a message goes with it", () => {
  expect(Object.keys(without(MESSAGES, "a"))).toEqual(["f"]);
  expect(Object.keys(without(MESSAGES, "d"))).toEqual(["a", "b", "c", "f"]);
});

test("the text of a message leaves thoughts out", () => {
  const parts = [
    { type: "reasoning" as const, text: "hm", duration_s: null },
    { type: "text" as const, text: "yes" },
  ];
  expect(textOf(parts)).toBe("yes");
});
