import { AnswerReader, ENDINGS, type ResponseEvent } from "@/services/answer-reader";
import { Refused } from "@/services/api";
import type { Message, Settings } from "@/services/chat-shapes";
import { respond } from "@/services/chat-streams";
import { attachments } from "@/services/chats";
import { blank, putMessage, setThread, TEMPORARY, threadOf } from "./chat";
import { hide, liveOf, show } from "./chat-answers";
import { EMPTY, type } from "./chat-drafts";

/** How long a call of a tool waits for an answer, as in chats that are kept. */
const APPROVAL_S = 3600;
const running = new Map<string, AbortController>();

export function stopTemporarily(id: string): void {
  running.get(id)?.abort();
}

/** Forget the chat that nobody keeps, with what is being answered and what is typed in it. */
export function forgetTemporary(): void {
  for (const id of running.keys()) stopTemporarily(id);
  setThread(TEMPORARY, () => blank(TEMPORARY));
  type(TEMPORARY, EMPTY);
}

/** Answer in a chat that nobody keeps: the whole history goes with each request, and nothing of it stays there. */
export async function respondTemporarily(answer: Message): Promise<void> {
  const leaving = new AbortController();
  running.set(answer.id, leaving);
  const reader = new AnswerReader([]);
  const told: Message = { ...answer, revision: 0, status: "failed" };
  try {
    const { settings } = threadOf(TEMPORARY).chat;
    const body = { ...fields(settings), model: answer.model, input: await history(answer) };
    for await (const event of respond(body, leaving.signal)) {
      reader.feed(event);
      if (ENDINGS.includes(event.type)) end(told, event);
      else show(answer.id, () => liveOf(reader));
    }
  } catch (fault) {
    told.status = leaving.signal.aborted ? "stopped" : "failed";
    const said = fault instanceof Error ? fault.message : String(fault);
    const code = (fault instanceof Refused && fault.code) || "failed";
    told.error = leaving.signal.aborted ? null : { code, message: said };
  }
  running.delete(answer.id);
  // A chat that was left meanwhile stays forgotten.
  if (threadOf(TEMPORARY).messages[answer.id]) putMessage({ ...told, content: reader.parts.slice() });
  hide(answer.id);
}

function end(told: Message, { type, response }: ResponseEvent): void {
  const ended = { "response.completed": "complete", "response.incomplete": "cut" } as const;
  told.status = ended[type as keyof typeof ended] ?? "failed";
  told.error = response?.error ?? null;
  told.timings = (response?.timings as unknown as Message["timings"]) ?? null;
  if (!response?.usage) return;
  const { input_tokens, output_tokens, total_tokens, input_tokens_details } = response.usage;
  const cached_tokens = input_tokens_details?.cached_tokens ?? 0;
  told.usage = { input_tokens, output_tokens, total_tokens, cached_tokens };
}

/** A chat's settings as the fields of a response. */
export function fields({ system, thinking, effort, extra, tools, model: _, ...rest }: Settings): object {
  const told = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
  return {
    ...Object.fromEntries(told),
    ...(system ? { instructions: system } : {}),
    ...(tools && tools.length > 0 ? { enable_tools: true, enabled_tools: tools } : {}),
    ...(effort ? { reasoning: { effort } } : {}),
    ...(thinking === null || thinking === undefined
      ? {}
      : { chat_template_kwargs: { enable_thinking: thinking } }),
    ...extra,
    // Whoever chats is there to be asked.
    ...(tools?.length || extra?.enable_tools
      ? { tool_permissions: { "*": "ask" }, tool_approval_timeout: APPROVAL_S }
      : {}),
  };
}

async function history(answer: Message): Promise<object[]> {
  const { messages } = threadOf(TEMPORARY);
  const items: object[] = [];
  let at = answer.parent_id === null ? undefined : messages[answer.parent_id];
  while (at) {
    items.unshift({ type: "message", role: at.role, content: await contents(at) });
    at = at.parent_id === null ? undefined : messages[at.parent_id];
  }
  return items;
}

async function contents(message: Message): Promise<object[]> {
  const told: object[] = [];
  for (const part of message.content) {
    if (part.type === "text")
      told.push({ type: message.role === "assistant" ? "output_text" : "input_text", text: part.text });
    if (part.type === "document")
      told.push({
        type: "input_text",
        text: `${part.name ?? ""}\n\n${await attachments.text(part.attachment_id)}`,
      });
    if (part.type === "image")
      told.push({ type: "input_image", image_url: await dataUrl(part.attachment_id) });
  }
  return told;
}

async function dataUrl(id: string): Promise<string> {
  const shown = await attachments.content(id);
  const bytes = await (await fetch(shown)).blob();
  URL.revokeObjectURL(shown);
  return await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(bytes);
  });
}
