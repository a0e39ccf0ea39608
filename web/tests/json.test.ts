import { expect, test } from "vitest";
import { faultOf, pretty } from "@/services/json";

test.each([
  ["", 1, 1, "value"],
  ['{\n  "a": 1,\n}', 3, 1, "name"],
  ['{\n  "a" 1\n}', 2, 7, "colon"],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, "comma"],
  ['["a\nb"]', 1, 2, "text"],
  ['["a\\x"]', 1, 2, "text"],
  ["{} {}", 1, 4, "rest"],
  ["[01]", 1, 3, "comma"],
  ["[NaN]", 1, 2, "value"],
  ["{'a': 1}", 1, 2, "name"],
  ["[1,", 1, 4, "value"],
  ["[".repeat(102), 1, 102, "deep"],
])("%j is at fault at %i:%i (%s)", (text, line, column, kind) => {
  expect(faultOf(text)).toEqual({ line, column, kind });
});

test.each(['{"a": [1, -0.5e+3, "\\u00fc\\n", true, null, {}]}', " [] ", '"x"', "0"])("%s is JSON", (text) => {
  expect(faultOf(text)).toBeNull();
  expect(() => JSON.parse(text)).not.toThrow();
});

test("what JSON.parse refuses is a fault, wherever a text is cut", () => {
  const text = '{"a": [1, -0.5e+3, "\\u00fc\\n", true, null, {"b": {}}]}';
  for (let end = 0; end < text.length; end++) {
    expect(faultOf(text.slice(0, end)), text.slice(0, end)).not.toBeNull();
    expect(() => JSON.parse(text.slice(0, end))).toThrow();
  }
});

test("JSON is set out, other text stays", () => {
  expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(pretty("data: 1")).toBe("data: 1");
});
