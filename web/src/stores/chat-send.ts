import type { Message, Part, Role, Settings } from "@/services/chat-shapes";
import { chats, messages } from "@/services/chats";
import { newId } from "@/services/ids";
import { hideNames, showNames, shuffled } from "./blind";
import { blank, NEW, putChat, putMessage, setThread, shownBranch, TEMPORARY, threadOf } from "./chat";
import { followAnswer } from "./chat-answers";
import { forgetSent, keepSent } from "./chat-drafts";
import { respondTemporarily, stopTemporarily } from "./chat-temporary";
import { without } from "./chat-tree";
import { tellFailure } from "./notices";

export function blankMessage(chat: string, parent: string | null, role: Role, content: Part[]): Message {
  const now_s = Math.max(
    Date.now() / 1000,
    ...Object.values(threadOf(chat).messages).map((m) => m.created_s),
  );
  return {
    id: newId("msg"),
    chat_id: chat,
    parent_id: parent,
    role,
    model: null,
    content,
    created_s: now_s,
    updated_s: now_s,
    revision: -1,
    status: role === "assistant" ? "generating" : "complete",
    response_id: null,
    base: [],
    usage: null,
    timings: null,
    error: null,
  };
}

/** Put a message at the end of what is shown. */
function place(message: Message): void {
  setThread(message.chat_id, (thread) => ({
    ...thread,
    chat: { ...thread.chat, leaf_id: message.id },
    messages: { ...thread.messages, [message.id]: message },
  }));
}

interface Said {
  parts: Part[];
  /** What it stands under; left out, the end of what is shown. */
  parent?: string | null;
  /** The models that answer; several are a comparison. */
  models: string[];
  /** Whether a comparison has no names until one is chosen. */
  isBlind?: boolean;
}

/** Show what the user says at once, and have it answered. Returns the id of the chat, which is new for a new one. */
export function sendMessage(id: string, { parts, parent, models, isBlind = false }: Said): string {
  let chat = id;
  if (id === NEW) {
    chat = newId("chat");
    setThread(chat, () => blank(chat, threadOf(NEW).chat.settings));
    setThread(NEW, () => blank(NEW));
  }
  const under = parent === undefined ? (shownBranch(threadOf(chat)).at(-1) ?? null) : parent;
  const said = blankMessage(chat, under, "user", parts);
  const before = under === null ? null : threadOf(chat).messages[under]?.parent_id;
  if (before) showNames(before);
  place(said);
  const isHidden = isBlind && models.length > 1;
  if (isHidden) hideNames(said.id);
  void ask(chat, said, isHidden ? shuffled(models) : models, id === NEW);
  return chat;
}

/** Send what was not sent, or have it answered if nothing answers it yet. */
export function askAgain(chat: string, id: string, models: string[]): void {
  const said = threadOf(chat).messages[id];
  if (said) void ask(chat, said, models, threadOf(chat).chat.revision < 0);
}

async function ask(chat: string, said: Message, models: string[], isNewChat: boolean): Promise<void> {
  // Until the server tells when each began, they stand in the order in which they are asked.
  const answers = models.map((model, order) => {
    const answer = blankMessage(chat, said.id, "assistant", []);
    return { ...answer, model, created_s: answer.created_s + 60 * order };
  });
  for (const answer of answers) place(answer);
  if (answers[0]) place(answers[0]);
  setThread(chat, ({ unsent: { [said.id]: _, ...unsent }, ...thread }) => ({ ...thread, unsent }));
  if (chat === TEMPORARY) {
    putMessage({ ...said, revision: 0 });
    for (const answer of answers) void respondTemporarily(answer);
    return;
  }
  try {
    if (isNewChat) {
      keepSent(said);
      const { settings } = threadOf(chat).chat;
      putChat(await chats.create({ id: chat, settings }));
    }
    if (said.revision < 0) {
      const { id, parent_id, role, content } = said;
      putMessage(await messages.create(chat, { id, parent_id, role, content }));
      forgetSent(said);
      if (!threadOf(chat).chat.title) void chats.head(chat).then(putChat, () => undefined);
    }
    for (const [place, answer] of answers.entries()) await answerWith(answer, {}, place === 0);
  } catch (fault) {
    const made = threadOf(chat).messages;
    const unasked = answers.filter(({ id }) => (made[id]?.revision ?? -1) < 0);
    for (const answer of unasked) takeBack(answer);
    showNames(said.id);
    const unsent = { fault, models: unasked.map(({ model }) => model ?? "") };
    setThread(chat, (thread) => ({ ...thread, unsent: { ...thread.unsent, [said.id]: unsent } }));
  }
}

async function answerWith(answer: Message, settings: Settings, isShown: boolean): Promise<void> {
  const { message } = await messages.answer(answer.chat_id, {
    id: answer.id,
    parent_id: answer.parent_id,
    ...(answer.model ? { model: answer.model } : {}),
    ...(Object.keys(settings).length > 0 ? { settings } : {}),
    ...(isShown ? {} : { select: false }),
  });
  putMessage(message);
  followAnswer(message);
  if (stopping.delete(answer.id)) await stopMessage(message);
}

function takeBack({ chat_id, id }: Message): void {
  setThread(chat_id, (thread) => {
    if ((thread.messages[id]?.revision ?? 0) >= 0) return thread;
    return { ...thread, messages: without(thread.messages, id) };
  });
}

/** Another answer beside this one. */
export async function regenerate(chat: string, id: string, model: string): Promise<void> {
  const parent = threadOf(chat).messages[id]?.parent_id ?? null;
  const answer = { ...blankMessage(chat, parent, "assistant", []), model };
  place(answer);
  if (chat === TEMPORARY) return await respondTemporarily(answer);
  try {
    await answerWith(answer, {}, true);
  } catch (fault) {
    takeBack(answer);
    setThread(chat, (thread) => ({ ...thread, chat: { ...thread.chat, leaf_id: id } }));
    tellFailure(fault);
  }
}

/** Let an answer that ended early go on. */
export async function continueAnswer(chat: string, id: string): Promise<void> {
  try {
    const { message } = await messages.answer(chat, { continues: id });
    putMessage(message);
    followAnswer(message);
  } catch (fault) {
    tellFailure(fault);
  }
}

const stopping = new Set<string>();

async function stopMessage(message: Message): Promise<void> {
  if (message.chat_id === TEMPORARY) return stopTemporarily(message.id);
  // One that the server does not know yet is stopped as soon as it does.
  if (message.response_id === null) stopping.add(message.id);
  else await messages.stop(message.response_id).catch(tellFailure);
}

/** Stop all that is being answered in a chat. */
export function stopAnswers(chat: string): void {
  for (const message of Object.values(threadOf(chat).messages))
    if (message.status === "generating") void stopMessage(message);
}
