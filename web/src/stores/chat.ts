import { create } from "zustand";
import { Refused } from "@/services/api";
import type { Chat, Message, Settings } from "@/services/chat-shapes";
import { chats } from "@/services/chats";
import { branch, type Messages } from "./chat-tree";

/** The chat that is not there yet, and the one that nobody keeps. */
export const NEW = "new";
export const TEMPORARY = "temporary";

export interface Thread {
  chat: Chat;
  messages: Messages;
  load: "loading" | "ready" | "missing" | "failed";
  fault: unknown;
  /** What went wrong on the way to the server, by the message of the user that it was about. */
  unsent: Readonly<Record<string, Unsent>>;
}

export interface Unsent {
  fault: unknown;
  /** Those that were to answer and were not asked. */
  models: string[];
}

interface Threads {
  threads: Readonly<Record<string, Thread>>;
}

function blankChat(id: string, settings: Settings = {}): Chat {
  return {
    id,
    title: null,
    folder_id: null,
    created_s: 0,
    updated_s: 0,
    pinned: false,
    archived: false,
    deleted_s: null,
    settings,
    draft: null,
    leaf_id: null,
    revision: -1,
    draft_revision: -1,
    is_generating: false,
    message_count: 0,
  };
}

export function blank(id: string, settings: Settings = {}): Thread {
  return { chat: blankChat(id, settings), messages: {}, load: "ready", fault: null, unsent: {} };
}

/** The chats that this tab has open or had open, as the server tells them and as this tab is about to make them. */
export const useThreads = create<Threads>()(() => ({
  threads: { [NEW]: blank(NEW), [TEMPORARY]: blank(TEMPORARY) },
}));

export function threadOf(id: string): Thread {
  return useThreads.getState().threads[id] ?? { ...blank(id), load: "loading" };
}

export function isKept(id: string): boolean {
  return id !== NEW && id !== TEMPORARY;
}

export function setThread(id: string, change: (thread: Thread) => Thread): void {
  useThreads.setState(({ threads }) => ({ threads: { ...threads, [id]: change(threadOf(id)) } }));
}

/** Take a message as it is told; an older state of one that is here is left out. */
export function putMessage(message: Message): void {
  setThread(message.chat_id, (thread) => {
    const known = thread.messages[message.id];
    if (known && known.revision > message.revision) return thread;
    return { ...thread, messages: { ...thread.messages, [message.id]: message } };
  });
}

/** The chats whose settings were changed here and are not saved yet. */
export const unsettled = new Set<string>();

/** Take a chat without its messages. What this tab is sending decides which branch is shown. */
export function putChat(chat: Chat): void {
  if (!useThreads.getState().threads[chat.id]) return;
  setThread(chat.id, (thread) => {
    if (thread.chat.revision > chat.revision) return thread;
    const isSending = Object.values(thread.messages).some(({ revision }) => revision < 0);
    const { leaf_id, settings } = thread.chat;
    const kept = { ...(isSending ? { leaf_id } : {}), ...(unsettled.has(chat.id) ? { settings } : {}) };
    return { ...thread, chat: { ...chat, ...kept } };
  });
}

const loading = new Map<string, Promise<void>>();

/** Read a chat with its messages, unless that is under way. `isAgain` reads one anew that is here. */
export function loadThread(id: string, isAgain = false): Promise<void> {
  const under = loading.get(id);
  if (under) return under;
  if (!isAgain && useThreads.getState().threads[id]?.load === "ready") return Promise.resolve();
  const made = read(id).finally(() => loading.delete(id));
  loading.set(id, made);
  return made;
}

async function read(id: string): Promise<void> {
  try {
    const { messages, ...chat } = await chats.whole(id);
    setThread(id, (thread) => {
      // What is on its way to the server stays.
      const own = Object.values(thread.messages).filter(({ revision }) => revision < 0);
      const told = Object.fromEntries([...own, ...messages].map((message) => [message.id, message]));
      return { ...thread, chat, messages: told, load: "ready", fault: null };
    });
  } catch (fault) {
    const isMissing = fault instanceof Refused && fault.status === 404;
    setThread(id, (thread) =>
      thread.load === "ready" && !isMissing
        ? thread
        : { ...thread, load: isMissing ? "missing" : "failed", fault },
    );
  }
}

/** The ids that are shown of a chat. */
export function shownBranch(thread: Thread): string[] {
  return branch(thread.messages, thread.chat.leaf_id);
}
