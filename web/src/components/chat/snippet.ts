export interface Piece {
  text: string;
  isMatch: boolean;
  at: number;
}

/** A text in pieces, those that match apart. Places count characters, and not halves of them. */
export function marked(text: string, matches: readonly (readonly [number, number])[]): Piece[] {
  const characters = Array.from(text);
  const pieces: Piece[] = [];
  let at = 0;
  const take = (until: number, isMatch: boolean) => {
    if (until > at) pieces.push({ text: characters.slice(at, until).join(""), isMatch, at });
    at = Math.max(at, until);
  };
  for (const [start, end] of matches) {
    take(start, false);
    take(end, true);
  }
  take(characters.length, false);
  return pieces;
}
