import type { Change } from "@/services/chat-shapes";
import { type Followed, follow } from "@/services/chat-streams";
import { chats, messages } from "@/services/chats";
import { putChat, putMessage, setThread, useThreads } from "./chat";
import { followAnswer, openThread } from "./chat-answers";
import { without } from "./chat-tree";

const HIDDEN_MS = 5_000;
const listeners = new Set<(change: Change) => void>();
const so: Followed = { last: "", isBegun: false };
let following: AbortController | null = null;
let leaving = 0;

/** Be told what changes in all chats, in this tab and elsewhere. Returns how to stop. */
export function onChange(listener: (change: Change) => void): () => void {
  listeners.add(listener);
  begin();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) end();
  };
}

function begin(): void {
  clearTimeout(leaving);
  if (following || listeners.size === 0) return;
  following = new AbortController();
  void follow(told, following.signal, so);
}

function end(): void {
  following?.abort();
  following = null;
}

// A browser has six connections for all its tabs of one address: those that nobody looks at leave theirs to the others.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) leaving = window.setTimeout(end, HIDDEN_MS);
  else begin();
});

function told(change: Change): void {
  void taken(change).catch(() => undefined);
  for (const listener of listeners) listener(change);
}

/** Bring what is here up to what the server tells. */
async function taken(change: Change): Promise<void> {
  const { threads } = useThreads.getState();
  if (change.kind === "reset") {
    const kept = Object.entries(threads).filter(
      ([, { chat, load }]) => chat.revision >= 0 && load === "ready",
    );
    await Promise.all(kept.map(([id]) => openThread(id, true)));
    return;
  }
  if (!("chat_id" in change)) return;
  const thread = threads[change.chat_id];
  if (!thread) return;
  if (change.kind === "chat") putChat(await chats.head(change.chat_id));
  if (change.kind === "chat_deleted") setThread(change.chat_id, (one) => ({ ...one, load: "missing" }));
  if (change.kind === "message_deleted")
    setThread(change.chat_id, (one) => ({ ...one, messages: without(one.messages, change.message_id) }));
  if (change.kind === "message") {
    const known = thread.messages[change.message_id];
    const isUnderWay = known?.status === "generating" && change.status === "generating";
    // What this tab is sending is answered to it.
    if (known && (known.revision < 0 || known.revision >= change.revision)) return;
    if (isUnderWay && known.response_id === change.response_id) return;
    const message = await messages.get(change.chat_id, change.message_id);
    putMessage(message);
    // A new message may have given the chat its title, and is the end of what is shown.
    if (!known) putChat(await chats.head(change.chat_id));
    followAnswer(message);
  }
}
