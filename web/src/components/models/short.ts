/** 4 790 784 as 4.8 M, and billions as B. */
export function short(count: number, number: (value: number, digits?: number) => string): string {
  if (count >= 1e9) return `${number(count / 1e9)} B`;
  if (count >= 1e6) return `${number(count / 1e6)} M`;
  return number(count, 0);
}
