import { create } from "zustand";
import type { Attachment, Message, Settings } from "@/services/chat-shapes";
import { attachments, chats } from "@/services/chats";
import { newId } from "@/services/ids";
import { forget, keep, readKept } from "@/services/storage";
import { isKept, NEW, putChat, setThread, TEMPORARY, threadOf, unsettled } from "./chat";
import { textOf } from "./chat-tree";
import { tellFailure } from "./notices";

export interface Attached {
  id: string;
  name: string;
  kind: "image" | "document";
  isReady: boolean;
}

export interface Typed {
  text: string;
  attached: readonly Attached[];
}

interface Drafts {
  drafts: Readonly<Record<string, Typed>>;
  /** What is sent when the answer that is being made is complete. */
  queued: Readonly<Record<string, Typed>>;
}

export const EMPTY: Typed = { text: "", attached: [] };
const SAVED_AFTER_MS = 500;
const KEPT = "paddock.draft";
const QUEUED = "paddock.queued.";
const SENT = "paddock.sent";

/** What is typed and not sent, by chat. The server keeps it; that of a chat which is not there yet, this browser. */
export const useDrafts = create<Drafts>()(() => ({ drafts: {}, queued: {} }));

const dirty = new Map<string, number>();

export function draftOf(chat: string): Typed {
  return useDrafts.getState().drafts[chat] ?? EMPTY;
}

export function type(chat: string, change: Partial<Typed>): void {
  useDrafts.setState(({ drafts }) => ({ drafts: { ...drafts, [chat]: { ...draftOf(chat), ...change } } }));
  clearTimeout(dirty.get(chat));
  dirty.set(
    chat,
    window.setTimeout(() => void save(chat), SAVED_AFTER_MS),
  );
}

async function save(chat: string, isLast = false): Promise<void> {
  clearTimeout(dirty.get(chat));
  dirty.delete(chat);
  if (chat === TEMPORARY) return;
  const { text, attached } = draftOf(chat);
  const isEmpty = !text && attached.length === 0;
  if (chat === NEW) {
    if (isEmpty) forget(KEPT);
    else keep(KEPT, JSON.stringify({ text, attached }));
    return;
  }
  // A chat that is being made has no place for drafts yet.
  if (threadOf(chat).chat.revision < 0) {
    if (!isLast) type(chat, {});
    return;
  }
  const ids = attached.filter(({ isReady }) => isReady).map(({ id }) => id);
  const draft = isEmpty
    ? null
    : { text, attachments: ids, model: threadOf(chat).chat.settings.model ?? null };
  const told = await chats.change(chat, { draft }, isLast).catch(tellFailure);
  if (told) putChat(told);
}

addEventListener("pagehide", () => {
  for (const chat of dirty.keys()) void save(chat, true).catch(() => undefined);
});

/** The first message of a new chat is kept here until the server has it: a page that is loaded anew brings it back. */
export function keepSent({ id, content }: Message): void {
  const attached = content.flatMap((part): Attached[] =>
    part.type === "image" || part.type === "document"
      ? [{ id: part.attachment_id, name: part.name ?? part.type, kind: part.type, isReady: true }]
      : [],
  );
  keep(SENT, JSON.stringify({ id, text: textOf(content), attached }));
}

/** The server has a message: what was kept of it goes. */
export function forgetSent({ id }: Message): void {
  if (sentIn(readKept(SENT))?.id === id) forget(SENT);
}

function sentIn(kept: string | null): (Typed & { id: string }) | null {
  return kept ? JSON.parse(kept) : null;
}

/** Bring back what was typed before, unless something is typed here already. */
export async function recallDraft(chat: string): Promise<void> {
  recallQueued(chat);
  if (useDrafts.getState().drafts[chat] || chat === TEMPORARY) return;
  if (chat === NEW) {
    const typedOnly = readKept(KEPT);
    const kept = typedOnly ? (JSON.parse(typedOnly) as Typed) : sentIn(readKept(SENT));
    if (kept) {
      const { text, attached } = kept;
      useDrafts.setState(({ drafts }) => ({ drafts: { ...drafts, [NEW]: { text, attached } } }));
    }
    return;
  }
  const { draft } = threadOf(chat).chat;
  if (!draft) return;
  const found = await Promise.all(draft.attachments.map((id) => attachments.get(id).catch(() => null)));
  const attached = found.filter((one) => one !== null).map(ready);
  useDrafts.setState(({ drafts }) =>
    drafts[chat] ? {} : { drafts: { ...drafts, [chat]: { text: draft.text, attached } } },
  );
}

function ready({ id, name, kind }: Attachment): Attached {
  return { id, name, kind, isReady: true };
}

/** Have files ready to be sent with the next message. */
export async function attach(chat: string, files: readonly File[]): Promise<void> {
  await Promise.all(
    files.map(async (file) => {
      const id = newId("att");
      const kind = file.type.startsWith("image/") ? "image" : "document";
      const others = () => draftOf(chat).attached.filter((one) => one.id !== id);
      type(chat, { attached: [...others(), { id, name: file.name, kind, isReady: false }] });
      try {
        const told = ready(await attachments.upload(file, file.name || kind, id));
        const isThere = draftOf(chat).attached.some((one) => one.id === id);
        if (isThere)
          type(chat, { attached: draftOf(chat).attached.map((one) => (one.id === id ? told : one)) });
      } catch (fault) {
        type(chat, { attached: others() });
        tellFailure(fault);
      }
    }),
  );
}

export function queue(chat: string, typed: Typed | null): void {
  useDrafts.setState(({ queued: { [chat]: _, ...queued } }) => ({
    queued: typed ? { ...queued, [chat]: typed } : queued,
  }));
  if (!isKept(chat)) return;
  if (typed) keep(QUEUED + chat, JSON.stringify(typed));
  else forget(QUEUED + chat);
}

/** Take what waits, once: another tab of this browser may be about to. */
export function takeQueued(chat: string): Typed | null {
  const waiting = useDrafts.getState().queued[chat];
  if (!waiting) return null;
  const isOurs = !isKept(chat) || readKept(QUEUED + chat) !== null;
  queue(chat, null);
  return isOurs ? waiting : null;
}

function recallQueued(chat: string): void {
  const kept = isKept(chat) ? readKept(QUEUED + chat) : null;
  if (kept)
    useDrafts.setState(({ queued }) => ({ queued: { ...queued, [chat]: JSON.parse(kept) as Typed } }));
}

const settling = new Map<string, number>();

/** Change how answers are made in a chat. */
export function changeSettings(chat: string, change: Partial<Settings>): void {
  setThread(chat, (thread) => {
    const merged = Object.entries({ ...thread.chat.settings, ...change });
    const settings = Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined));
    return { ...thread, chat: { ...thread.chat, settings } };
  });
  if (!isKept(chat)) return;
  clearTimeout(settling.get(chat));
  unsettled.add(chat);
  const saved = async () => {
    unsettled.delete(chat);
    const told = await chats.change(chat, { settings: threadOf(chat).chat.settings }).catch(tellFailure);
    if (told) putChat(told);
  };
  settling.set(
    chat,
    window.setTimeout(() => void saved(), 300),
  );
}
