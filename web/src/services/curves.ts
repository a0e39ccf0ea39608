import type { TrainingEvent } from "./training";

const NOT_FIGURES = new Set(["number", "at_s", "kind", "step"]);
/** How much of a smoothed figure is the one before it. */
const KEPT = 0.9;
/** Figures by which the time that is left is reckoned. */
const LOOKED_AT = 50;

export type Column = (number | null)[];

/** The figures of one training by its steps, in columns that grow in place: steps rise, and none stands twice. */
export class Curves {
  readonly steps: number[] = [];
  readonly columns = new Map<string, Column>();
  /** Steps in all; 0 until that is told. */
  total = 0;
  private readonly at_s: number[] = [];
  /** The first row since it was begun, or gone on with, last. */
  private begun = 0;

  /** Take what an event tells of figures. */
  add(event: TrainingEvent): void {
    const step = event.step;
    if (typeof step !== "number") return;
    if (event.kind === "begins") {
      this.total = Number(event.steps) || 0;
      this.cut((known) => known > step);
      this.begun = this.steps.length;
    }
    if (event.kind !== "step" && event.kind !== "eval") return;
    const row = this.rowOf(step, event.at_s);
    for (const [name, value] of Object.entries(event)) {
      if (NOT_FIGURES.has(name) || (typeof value !== "number" && value !== null)) continue;
      this.column(event.kind === "eval" ? `eval_${name}` : name)[row] = value;
    }
  }

  /** The newest figure of a name; null where there is none. */
  newest(name: string): number | null {
    return this.columns.get(name)?.findLast((value) => value !== null) ?? null;
  }

  /** Seconds until its end, by its latest pace; null where that is not known yet. */
  left_s(): number | null {
    const last = this.steps.length - 1;
    const first = Math.max(this.begun, last - LOOKED_AT);
    const from = this.steps[first];
    const to = this.steps[last];
    if (from === undefined || to === undefined || to <= from || !this.total) return null;
    const took_s = (this.at_s[last] ?? 0) - (this.at_s[first] ?? 0);
    return (took_s / (to - from)) * Math.max(0, this.total - to);
  }

  private column(name: string): Column {
    let column = this.columns.get(name);
    if (!column) {
      column = new Array<number | null>(this.steps.length).fill(null);
      this.columns.set(name, column);
    }
    return column;
  }

  /** The row of a step. Whoever tells of an earlier one has gone on from a checkpoint: what was beyond is void. */
  private rowOf(step: number, at_s: number): number {
    if (step < (this.steps.at(-1) ?? step)) this.cut((known) => known > step);
    if (this.steps.at(-1) !== step) {
      this.steps.push(step);
      this.at_s.push(at_s);
      for (const column of this.columns.values()) column.push(null);
    }
    return this.steps.length - 1;
  }

  private cut(isVoid: (step: number) => boolean): void {
    const first = this.steps.findIndex(isVoid);
    if (first < 0) return;
    for (const column of [this.steps, this.at_s, ...this.columns.values()]) column.length = first;
    this.begun = Math.min(this.begun, first);
  }
}

/** A running mean of what there is; its beginning leans on no figure that was not there. */
export function smoothed(column: Column): Column {
  let mean = 0;
  let weight = 0;
  return column.map((value) => {
    if (value === null) return null;
    mean = KEPT * mean + (1 - KEPT) * value;
    weight = KEPT * weight + (1 - KEPT);
    return mean / weight;
  });
}

/** At most `most` of the rows, evenly, the newest among them. */
export function sampled(count: number, most: number): number[] {
  const step = Math.max(1, count / most);
  const rows: number[] = [];
  for (let row = count - 1; row >= 0; row -= step) rows.unshift(Math.round(row));
  return rows;
}

/** Rows for a table: all, or at most `most` with a figure of each column, so that one with few is not passed over. */
export function tabled(count: number, columns: readonly Column[], most: number): number[] {
  if (count <= most) return sampled(count, most);
  const rows = new Set<number>();
  for (const column of columns) {
    const filled: number[] = [];
    column.forEach((value, row) => {
      if (value !== null) filled.push(row);
    });
    for (const place of sampled(filled.length, most)) rows.add(filled[place] ?? 0);
  }
  return [...rows].sort((one, other) => one - other);
}

/** One figure of several trainings over all their steps; a training without it, or without that step, has none there. */
export function together(
  all: readonly (Curves | undefined)[],
  figure: string,
): { steps: number[]; columns: Column[] } {
  const steps = [...new Set(all.flatMap((one) => one?.steps ?? []))].sort((one, other) => one - other);
  const rows = new Map(steps.map((step, row) => [step, row]));
  const columns = all.map((one) => {
    const column: Column = new Array<number | null>(steps.length).fill(null);
    one?.columns.get(figure)?.forEach((value, place) => {
      const row = rows.get(one.steps[place] ?? -1);
      if (row !== undefined) column[row] = value;
    });
    return column;
  });
  return { steps, columns };
}
