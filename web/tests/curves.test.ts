import { expect, test } from "vitest";
import { Curves, sampled, smoothed, tabled, together } from "@/services/curves";

let number = 0;
const event = (kind: string, step: number, told: Record<string, unknown> = {}) => {
  number += 1;
  return { number, at_s: 1000 + 2 * step, kind, step, ...told };
};
const begun = (...events: ReturnType<typeof event>[]) => {
  const curves = new Curves();
  for (const one of events) curves.add(one);
  return curves;
};

test("a figure of held-out rows stands beside that of its step, or on a row of its own", () => {
  const curves = begun(
    event("step", 1, { loss: 3 }),
    event("eval", 1, { loss: 4 }),
    event("eval", 5, { loss: 2 }),
  );
  expect(curves.steps).toEqual([1, 5]);
  expect(curves.columns.get("loss")).toEqual([3, null]);
  expect(curves.columns.get("eval_loss")).toEqual([4, 2]);
  expect(curves.newest("loss")).toBe(3);
});

test("what is told anew behind a checkpoint takes the place of what was there", () => {
  const curves = begun(
    event("begins", 0, { steps: 9 }),
    ...[1, 2, 3, 4].map((step) => event("step", step, { loss: step, gradient: 1 })),
    event("begins", 2, { steps: 9 }),
    event("step", 3, { loss: 30 }),
  );
  expect(curves.steps).toEqual([1, 2, 3]);
  expect(curves.columns.get("loss")).toEqual([1, 2, 30]);
  expect(curves.columns.get("gradient")).toEqual([1, 1, null]);
});

test("steps that are told again without a word of it stand once", () => {
  const curves = begun(
    event("step", 1, { loss: 1 }),
    event("step", 2, { loss: 2 }),
    event("step", 1, { loss: 9 }),
  );
  expect(curves.steps).toEqual([1]);
  expect(curves.columns.get("loss")).toEqual([9]);
});

test("the time that is left goes by the pace since it was begun last", () => {
  const curves = begun(event("begins", 0, { steps: 10 }), event("step", 1), event("step", 2));
  expect(curves.left_s()).toBe(16);
  curves.add(event("begins", 2, { steps: 10 }));
  expect(curves.left_s()).toBeNull();
});

test("figures of a dry run are none", () => {
  expect(begun(event("dry_run", 1, { of: "step", loss: 9 })).steps).toEqual([]);
});

test("the smoothed line begins where the figures begin, and passes over gaps", () => {
  expect(smoothed([2, null, 2])).toEqual([2, null, 2]);
  const [first, second] = smoothed([1, 3]);
  expect(first).toBe(1);
  expect(second).toBeGreaterThan(1);
  expect(second).toBeLessThan(3);
});

test("a table of many rows keeps their ends", () => {
  expect(sampled(3, 100)).toEqual([0, 1, 2]);
  const rows = sampled(100_000, 100);
  expect(rows.length).toBe(100);
  expect(rows.at(-1)).toBe(99_999);
  expect(new Set(rows).size).toBe(100);
});

test("a table leaves out no column that has few figures", () => {
  const many = Array.from({ length: 10_000 }, (_, row) => (row < 9_990 ? row : null));
  const few = many.map((_, row) => (row === 7 || row === 4_001 ? 1 : null));
  const rows = tabled(10_000, [many, many, few], 100);
  expect(rows.length).toBe(102);
  expect(rows).toContain(7);
  expect(rows).toContain(4_001);
  expect(rows.at(-1)).toBe(9_989);
  expect(tabled(3, [[1, null, null]], 100)).toEqual([0, 1, 2]);
  expect(rows).toEqual([...rows].sort((one, other) => one - other));
});

test("trainings of other steps are laid over the same ones", () => {
  const one = begun(event("step", 1, { loss: 1 }), event("step", 3, { loss: 3 }));
  const other = begun(event("step", 2, { loss: 2 }));
  expect(together([one, other, undefined], "loss")).toEqual({
    steps: [1, 2, 3],
    columns: [
      [1, null, 3],
      [null, 2, null],
      [null, null, null],
    ],
  });
});
