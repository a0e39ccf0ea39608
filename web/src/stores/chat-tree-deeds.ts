import type { Message, Part } from "@/services/chat-shapes";
import { chats, messages } from "@/services/chats";
import { isKept, putChat, putMessage, setThread, TEMPORARY, threadOf } from "./chat";
import { openThread } from "./chat-answers";
import { leafUnder, without } from "./chat-tree";
import { tellFailure, useNotices } from "./notices";

/** Show the branch that a message lies on. */
export function showBranch(chat: string, id: string): void {
  const leaf_id = leafUnder(threadOf(chat).messages, id);
  setThread(chat, (thread) => ({ ...thread, chat: { ...thread.chat, leaf_id } }));
  if (isKept(chat)) void chats.change(chat, { leaf_id }).then((told) => told && putChat(told), tellFailure);
}

/** The parts of a message with another text; thoughts and attachments stay. */
export function withText(parts: readonly Part[], text: string): Part[] {
  const first = parts.findIndex((part) => part.type === "text");
  if (first < 0) return [...parts, { type: "text", text }];
  return parts
    .map((part, place): Part => (place === first ? { type: "text", text } : part))
    .filter((part, place) => part.type !== "text" || place === first);
}

export async function editAnswer(message: Message, content: Part[]): Promise<void> {
  try {
    putMessage(await messages.change(message.chat_id, message.id, content));
  } catch (fault) {
    tellFailure(fault);
  }
}

/** Take a message with all beneath it away, and offer it back. */
export async function deleteMessage(
  chat: string,
  id: string,
  words: { done: string; undo: string },
): Promise<void> {
  const before = threadOf(chat);
  const leaf_id = before.messages[id]?.parent_id ?? null;
  setThread(chat, (thread) => ({
    ...thread,
    chat: { ...thread.chat, leaf_id },
    messages: without(thread.messages, id),
  }));
  const back = () =>
    setThread(chat, (thread) => ({ ...thread, chat: before.chat, messages: before.messages }));
  const undo = async () => {
    if (chat === TEMPORARY) return back();
    await messages.restore(chat, id);
    await openThread(chat, true);
    showBranch(chat, id);
  };
  try {
    const isThere = (before.messages[id]?.revision ?? -1) >= 0;
    if (chat !== TEMPORARY && isThere) await messages.remove(chat, id);
    const action = { label: words.undo, run: () => void undo().catch(tellFailure) };
    useNotices.getState().tell({ kind: "done", text: words.done, ...(isThere ? { action } : {}) });
  } catch (fault) {
    back();
    tellFailure(fault);
  }
}

/** A new chat with the messages up to this one; its id, or null where that failed. */
export async function forkChat(chat: string, id: string): Promise<string | null> {
  try {
    return (await chats.fork(chat, id)).id;
  } catch (fault) {
    tellFailure(fault);
    return null;
  }
}
