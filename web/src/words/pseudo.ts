const ACCENTS: Record<string, string> = {
  a: "á",
  e: "ë",
  i: "ï",
  o: "ô",
  u: "ü",
  A: "Å",
  E: "É",
  O: "Ø",
  U: "Û",
  n: "ñ",
  c: "ç",
};

/** A language nobody speaks, a third longer than English: shows what is not in the catalogue, and what overflows. */
export function pseudo<T extends Record<string, string>>(words: T): Record<keyof T, string> {
  const stretched = (text: string): string => {
    const accented = text.replace(/\{\w+\}|[a-zA-Z]/g, (found) => ACCENTS[found] ?? found);
    return `[${accented}${"·".repeat(Math.ceil(text.length / 3))}]`;
  };
  return Object.fromEntries(Object.entries(words).map(([key, text]) => [key, stretched(text)])) as Record<
    keyof T,
    string
  >;
}
