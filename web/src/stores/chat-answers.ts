import { create } from "zustand";
import { AnswerReader, ENDINGS } from "@/services/answer-reader";
import { Refused } from "@/services/api";
import type { Message, Part } from "@/services/chat-shapes";
import { pause, watch } from "@/services/chat-streams";
import { messages } from "@/services/chats";
import { loadThread, putMessage, setThread, threadOf } from "./chat";
import { without } from "./chat-tree";

/** What an answer says while it is made. */
export interface Live {
  parts: readonly Part[];
  isQueued: boolean;
  /** Whether the connection is lost and sought anew. */
  isLost: boolean;
}

interface Answers {
  live: Readonly<Record<string, Live>>;
}

/** The answers that are being made, by message. Written at most once a frame. */
export const useAnswers = create<Answers>()(() => ({ live: {} }));

const HIDDEN_MS = 250;
const LOST_MOST_MS = 4_000;
const pending = new Map<string, () => Live>();
let scheduled: { frame: number; timer: number } | null = null;

/**
 * Show what an answer says now, with the next frame. Of several answers each frame takes one, in turn, so that no frame is
 * late. A hidden page has no frames, and is written four times a second.
 */
export function show(message: string, live: () => Live): void {
  pending.set(message, live);
  schedule();
}

function schedule(): void {
  scheduled ??= {
    frame: requestAnimationFrame(() => flush(1)),
    timer: window.setTimeout(() => flush(pending.size), HIDDEN_MS),
  };
}

function flush(most: number): void {
  if (!scheduled) return;
  cancelAnimationFrame(scheduled.frame);
  clearTimeout(scheduled.timer);
  scheduled = null;
  // What has waited longest is first.
  const due = [...pending].slice(0, most);
  for (const [id] of due) pending.delete(id);
  const told = Object.fromEntries(due.map(([id, live]) => [id, live()]));
  useAnswers.setState(({ live }) => ({ live: { ...live, ...told } }));
  if (pending.size > 0) schedule();
}

/** An answer is over: what its message holds is shown from now on. */
export function hide(message: string): void {
  pending.delete(message);
  useAnswers.setState(({ live: { [message]: _, ...rest } }) => ({ live: rest }));
}

export function liveOf(reader: AnswerReader, isLost = false): Live {
  return { parts: reader.parts.slice(), isQueued: reader.isQueued, isLost };
}

const watched = new Set<string>();

/** Follow an answer to its end, over lost connections and restarts of paddock. More than once is once. */
export function followAnswer(message: Message): void {
  if (message.status !== "generating" || message.response_id === null || watched.has(message.id)) return;
  watched.add(message.id);
  void followed(message).finally(() => {
    watched.delete(message.id);
    hide(message.id);
  });
}

async function followed(first: Message): Promise<void> {
  let message: Message | null = first;
  while (message?.status === "generating" && message.response_id !== null) {
    await readToEnd(message);
    message = await settled(message);
    if (message) {
      putMessage(message);
      if (message.status !== "generating") hide(message.id);
    } else
      setThread(first.chat_id, (thread) => ({ ...thread, messages: without(thread.messages, first.id) }));
  }
}

/** Read a response's events until the last one, however often the connection is lost. */
async function readToEnd(message: Message): Promise<void> {
  const reader = new AnswerReader(message.base);
  const never = new AbortController().signal;
  for (let wait_ms = 200; ; wait_ms = Math.min(wait_ms * 2, LOST_MOST_MS)) {
    try {
      for await (const event of watch(message.response_id ?? "", reader.seen, never)) {
        reader.feed(event);
        wait_ms = 200;
        show(message.id, () => liveOf(reader));
        if (ENDINGS.includes(event.type)) return;
      }
    } catch (error) {
      // A response that is not there, or not yet, tells nothing; the message does.
      const isRefused = error instanceof Refused && error.status >= 400 && error.status < 500;
      if (isRefused && (await isElsewhere(message))) return;
    }
    show(message.id, () => liveOf(reader, true));
    await pause(wait_ms);
  }
}

/** Whether a message is over, gone, or made by another response. */
async function isElsewhere(message: Message): Promise<boolean> {
  try {
    const { status, response_id } = await messages.get(message.chat_id, message.id);
    return status !== "generating" || response_id !== message.response_id;
  } catch (error) {
    return error instanceof Refused && error.status === 404;
  }
}

/** The message once the server has settled it or given it to another response; null if it is gone. */
async function settled(message: Message): Promise<Message | null> {
  for (let wait_ms = 100; ; wait_ms = Math.min(wait_ms * 2, LOST_MOST_MS)) {
    try {
      const told = await messages.get(message.chat_id, message.id);
      if (told.status !== "generating" || told.response_id !== message.response_id) return told;
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
    }
    await pause(wait_ms);
  }
}

/** Read a chat and follow what is being answered in it. */
export async function openThread(id: string, isAgain = false): Promise<void> {
  await loadThread(id, isAgain);
  for (const message of Object.values(threadOf(id).messages)) followAnswer(message);
}
