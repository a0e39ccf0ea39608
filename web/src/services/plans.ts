const PURPOSES = [
  "weights",
  "kv",
  "recurrent",
  "compute",
  "projector",
  "prompt_cache",
  "checkpoint",
  "overhead",
] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface Plan {
  verdict: "fits" | "tight" | "does not fit";
  context_length: number;
  slots: number;
  kv_type: string;
  memory: Record<`${Purpose}_bytes` | "total_bytes", number>;
  needed_bytes: number;
  free_bytes: number;
  changes: string[];
  fitting_context_length: number | null;
  explanation: string[];
}

/** What memory is needed for, without what takes none. */
export function shares(plan: Plan): { purpose: Purpose; bytes: number }[] {
  return PURPOSES.map((purpose) => ({ purpose, bytes: plan.memory[`${purpose}_bytes`] })).filter(
    (one) => one.bytes > 0,
  );
}

/** The contexts to choose from, up to what a model was trained for. */
export function contexts(trained: number | null, kept?: number | null): number[] {
  const most = trained ?? 131_072;
  const found = new Set<number>();
  for (let tokens = 2048; tokens < most; tokens *= 2) found.add(tokens);
  found.add(most);
  if (kept) found.add(kept);
  return [...found].sort((a, b) => a - b);
}

/** A name in a path: ids have slashes of their own. */
export function escaped(id: string): string {
  return id.split("/").map(encodeURIComponent).join("/");
}
