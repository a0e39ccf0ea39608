/** The numbers that steer sampling, with their ranges; the server holds them too, and says so. */
export const SAMPLING = [
  { name: "temperature", low: 0, high: 5, step: 0.05 },
  { name: "top_p", low: 0, high: 1, step: 0.01 },
  { name: "top_k", low: 0, high: 1_048_576, step: 1 },
  { name: "min_p", low: 0, high: 1, step: 0.01 },
  { name: "presence_penalty", low: -2, high: 2, step: 0.1 },
  { name: "repetition_penalty", low: 0.1, high: 10, step: 0.05 },
] as const;

/** The numbers that matter when the model is loaded. */
export const LOADING = [
  { name: "context_tokens", low: 16, high: 16_777_216, step: 1 },
  { name: "slots", low: 1, high: 64, step: 1 },
  { name: "batch_tokens", low: 16, high: 8192, step: 1 },
  { name: "threads", low: 0, high: 1024, step: 1 },
  { name: "rope_freq_base", low: 1, high: 1_000_000_000, step: 1 },
  { name: "rope_freq_scale", low: 0.001, high: 10, step: 0.001 },
] as const;

export type NumberName = (typeof SAMPLING)[number]["name"] | (typeof LOADING)[number]["name"];

export const KV_TYPES = ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"];

export type Draft = Record<string, string>;
type Value = string | number | boolean;

const NUMBERS: readonly string[] = [...SAMPLING, ...LOADING].map((one) => one.name);
const SWITCHES = ["pinned", "ngram_speculation"];

/** What is set, as the fields hold it: text, empty where nothing is set. */
export function draftOf(settings: Record<string, Value>, template: string): Draft {
  const draft: Draft = {};
  for (const [name, value] of Object.entries(settings)) draft[name] = String(value);
  draft.chat_template = template;
  return draft;
}

/** What differs, as the server takes it; a field that was emptied is cleared. */
export function changesOf(before: Draft, after: Draft): Record<string, Value | null> {
  const changes: Record<string, Value | null> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const value = after[name] ?? "";
    if (value === (before[name] ?? "")) continue;
    if (value.trim() === "") changes[name] = null;
    else if (NUMBERS.includes(name)) changes[name] = Number(value.replace(",", "."));
    else if (SWITCHES.includes(name)) changes[name] = value === "true";
    else changes[name] = value;
  }
  return changes;
}

/** Whether what is typed is no number in its range. Empty is fine: it sets nothing. */
export function isWrong(text: string, low: number, high: number, step: number): boolean {
  if (text.trim() === "") return false;
  const number = Number(text.replace(",", "."));
  return (
    !Number.isFinite(number) || number < low || number > high || (step === 1 && !Number.isInteger(number))
  );
}
