import { expect, test } from "vitest";
import { diffRows } from "@/services/diff";

const marks = (left: string, right: string) =>
  diffRows(left, right).map((row) => (row.isSame ? ` ${row.left}` : `-${row.left} +${row.right}`));

test("equal texts have no marks", () => {
  expect(marks("a\nb", "a\nb")).toEqual([" a", " b"]);
});

test("lines that changed stand beside each other", () => {
  expect(marks("{\nx: 1\n}", "{\nx: 2\n}")).toEqual([" {", "-x: 1 +x: 2", " }"]);
});

test("what is only on one side has nothing beside it", () => {
  expect(marks("a\nc", "a\nb\nc")).toEqual([" a", "-null +b", " c"]);
  expect(marks("a\nb\nc\nb", "a\nc\nd\nb")).toEqual([" a", "-b +null", " c", "-null +d", " b"]);
});

test("both sides come out whole, however they differ", () => {
  const left = Array.from({ length: 300 }, (_, n) => `${(n * 7) % 13}`).join("\n");
  const right = Array.from({ length: 280 }, (_, n) => `${(n * 5) % 11}`).join("\n");
  const rows = diffRows(left, right);
  const side = (name: "left" | "right") => rows.flatMap((row) => row[name] ?? []).join("\n");
  expect([side("left"), side("right")]).toEqual([left, right]);
});

test("texts too long to compare are shown whole", () => {
  const long = (mark: string) => Array.from({ length: 3000 }, (_, n) => `${mark}${n}`).join("\n");
  expect(diffRows(long("a"), long("b"))).toHaveLength(3000);
});
