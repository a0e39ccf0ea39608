import type { Message, Part } from "@/services/chat-shapes";

export type Messages = Readonly<Record<string, Message>>;

/** Earlier first; ids decide between those of one moment, so that the order never depends on who asks. */
function earlier(a: Message, b: Message): number {
  return a.created_s - b.created_s || (a.id < b.id ? -1 : 1);
}

const childrenOf = new WeakMap<Messages, Map<string | null, Message[]>>();

/** The messages under each message, the earliest first. Made once for each state of the tree. */
export function children(messages: Messages): Map<string | null, Message[]> {
  const known = childrenOf.get(messages);
  if (known) return known;
  const made = new Map<string | null, Message[]>();
  for (const message of Object.values(messages)) {
    const beside = made.get(message.parent_id);
    if (beside) beside.push(message);
    else made.set(message.parent_id, [message]);
  }
  for (const beside of made.values()) beside.sort(earlier);
  childrenOf.set(messages, made);
  return made;
}

/** The end of the branch that goes on from a message: its newest child, and so on. */
export function leafUnder(messages: Messages, id: string): string {
  const under = children(messages);
  let at = id;
  for (let next = under.get(at)?.at(-1); next; next = under.get(at)?.at(-1)) at = next.id;
  return at;
}

/** The ids from the root to the end of the branch that `leaf` lies on; a leaf that is gone means the newest branch. */
export function branch(messages: Messages, leaf: string | null): string[] {
  const first = leaf !== null && messages[leaf] ? leaf : children(messages).get(null)?.at(-1)?.id;
  if (first === undefined) return [];
  const ids: string[] = [];
  for (let at: Message | undefined = messages[leafUnder(messages, first)]; at; ) {
    ids.push(at.id);
    at = at.parent_id === null ? undefined : messages[at.parent_id];
  }
  return ids.reverse();
}

/** The ids of a message and of those beside it, the earliest first. */
export function siblings(messages: Messages, id: string): string[] {
  const parent = messages[id]?.parent_id ?? null;
  return (children(messages).get(parent) ?? []).map((message) => message.id);
}

/** The tree without a message and all beneath it. */
export function without(messages: Messages, id: string): Messages {
  const under = children(messages);
  const gone = new Set([id]);
  for (const one of gone) for (const child of under.get(one) ?? []) gone.add(child.id);
  return Object.fromEntries(Object.entries(messages).filter(([one]) => !gone.has(one)));
}

/** What a message says, without thoughts and attachments. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}
