/** The sentences at the beginning of a text, with what stands between them; the last one only if nothing follows. */
export function sentences(text: string, isOver: boolean): string[] {
  const ends = /[.!?…。！？]+["'»“)\]]*(?=\s)\s*|\n+/g;
  const found: string[] = [];
  let from = 0;
  for (const end of text.matchAll(ends)) {
    const until = end.index + end[0].length;
    found.push(text.slice(from, until));
    from = until;
  }
  if (isOver && from < text.length) found.push(text.slice(from));
  return found;
}
