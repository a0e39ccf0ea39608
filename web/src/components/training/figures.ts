import type { Key, Translate } from "@/words";
import type { Amounts } from "@/words/amounts";

/** The figures that have a name of their own on the page; others are shown by the server's. */
const NAMED: Record<string, Key> = {
  loss: "train.figure.loss",
  eval_loss: "train.figure.eval",
  learning_rate: "train.figure.rate",
  gradient: "train.figure.gradient",
  tokens_per_s: "train.figure.speed",
  memory_bytes: "train.figure.memory",
  tokens: "train.figure.tokens",
  epoch: "train.figure.epoch",
};

export function nameOf(t: Translate, figure: string): string {
  const key = NAMED[figure];
  return key ? t(key) : figure;
}

/** A figure in the reader's language: bytes as such, others with the digits that say something. */
export function figureIn(a: Amounts, figure: string): (value: number) => string {
  if (figure.endsWith("_bytes")) return a.bytes;
  return (value) => {
    const size = Math.abs(value);
    if (value !== 0 && size < 0.001) return value.toExponential(2);
    return a.number(value, size < 1 ? 4 : size < 100 ? 3 : 0);
  };
}
