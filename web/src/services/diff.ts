/** One line of two texts beside each other. `null` where that text has no such line. */
export interface Row {
  left: string | null;
  right: string | null;
  isSame: boolean;
}

// The table of the middle part has so many cells at most; beyond that it is shown as replaced whole.
const CELLS_MOST = 4_000_000;

/** Two texts line by line, equal lines beside each other. The longest common subsequence between equal ends. */
export function diffRows(left: string, right: string): Row[] {
  const a = left.split("\n");
  const b = right.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const same = (lines: string[]): Row[] => lines.map((line) => ({ left: line, right: line, isSame: true }));
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

function middle(a: string[], b: string[]): Row[] {
  const rows: Row[] = [];
  const gone: string[] = [];
  const come: string[] = [];
  const flush = () => {
    for (let n = 0; n < Math.max(gone.length, come.length); n++)
      rows.push({ left: gone[n] ?? null, right: come[n] ?? null, isSame: false });
    gone.length = 0;
    come.length = 0;
  };
  const width = b.length + 1;
  const isSmall = (a.length + 1) * width <= CELLS_MOST;
  // lengths[i * width + j]: the longest common part of a from i on and b from j on.
  const lengths = new Uint32Array(isSmall ? (a.length + 1) * width : 0);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  if (isSmall)
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const one = a[i];
    const other = b[j];
    if (isSmall && one !== undefined && one === other) {
      flush();
      rows.push({ left: one, right: one, isSame: true });
      i++;
      j++;
    } else if (other === undefined || (one !== undefined && at(i + 1, j) >= at(i, j + 1))) {
      gone.push(one ?? "");
      i++;
    } else {
      come.push(other);
      j++;
    }
  }
  flush();
  return rows;
}
