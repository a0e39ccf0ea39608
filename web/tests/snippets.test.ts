import { expect, test } from "vitest";
import { pythonOf, snippet } from "@/services/snippets";

const BODY = JSON.stringify({
  model: "it's",
  stream: true,
  seed: 1,
  none: null,
  deep: [{ no: false, text: 'true "null" \\ ü \n' }],
});
const asked = { origin: "http://127.0.0.1:1", path: "/v1/x", body: BODY, headers: { "x-one": "a'b" } };

test("curl gets the very body and headers, quoted for a shell", () => {
  const body = '{"model":"it\'s","stream":true}';
  expect(snippet("curl", { ...asked, body }).split(" \\\n  ")).toEqual([
    "curl -N http://127.0.0.1:1/v1/x",
    "-H 'Content-Type: application/json'",
    "-H 'x-one: a'\\''b'",
    `--data-raw '{"model":"it'\\''s","stream":true}'`,
  ]);
});

test("a whole answer is not asked for as a stream", () => {
  expect(snippet("curl", { ...asked, body: '{"stream": false}' })).not.toContain("-N");
});

test.each([
  ['{"a": true, "b": [false, null], "true": "null"}', '{"a": True, "b": [False, None], "true": "null"}'],
  ['{"n": 12345678901234567890, "x": 1.50}', '{"n": 12345678901234567890, "x": 1.50}'],
  [
    String.raw`{"path": "a\/b", "quote": "\"true\"", "back": "\\/"}`,
    String.raw`{"path": "a/b", "quote": "\"true\"", "back": "\\/"}`,
  ],
])("%s becomes Python", (json, python) => {
  expect(pythonOf(json)).toBe(python);
});

test("JavaScript sends the same body", () => {
  const text = snippet("javascript", asked);
  const literal = /const body = (.*);\nconst headers/s.exec(text)?.[1] ?? "";
  expect(new Function(`return JSON.stringify(${literal})`)()).toBe(BODY);
  expect(text).toContain('"http://127.0.0.1:1/v1/x"');
});
