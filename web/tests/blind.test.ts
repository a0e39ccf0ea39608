import { expect, test } from "vitest";
import { shuffled, tallyOf } from "../src/stores/blind";

test("votes are counted among the very models that answered, in whatever order", () => {
  const votes = [
    { models: ["a", "b"], chosen: "a" },
    { models: ["b", "a"], chosen: "a" },
    { models: ["a", "b"], chosen: null },
    { models: ["a", "b", "c"], chosen: "c" },
  ];
  expect(tallyOf(votes, ["b", "a"])).toEqual({ a: 2, "": 1 });
  expect(tallyOf(votes, ["c", "b", "a"])).toEqual({ c: 1 });
  expect(tallyOf(votes, ["a", "c"])).toEqual({});
});

test("a shuffled list has the same things, and not always the same one first", () => {
  const first = new Set(Array.from({ length: 200 }, () => shuffled(["a", "b", "c"])[0]));
  expect([...first].sort()).toEqual(["a", "b", "c"]);
  expect(shuffled(["a", "b", "c"]).sort()).toEqual(["a", "b", "c"]);
});
