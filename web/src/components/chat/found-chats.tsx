/** What the server finds in titles and messages, as rows of the palette. */
export function FoundChats(_: { asked: string; onGone: () => void }) {
  return null;
}
