import type { Message } from "@/services/chat-shapes";
import type { PromptAsked, PromptMessage } from "@/services/prompt";
import { threadOf } from "./chat";
import { textOf } from "./chat-tree";

/** What the model was asked for an answer, by the chat's settings, as a chat completion writes it. */
export function promptAsked(answer: Message): PromptAsked {
  const { thinking, extra } = threadOf(answer.chat_id).chat.settings;
  const tools = Array.isArray(extra?.tools) ? extra.tools.map(asTool) : [];
  return {
    model: answer.model ?? "",
    messages: promptMessages(answer),
    ...(tools.length > 0 ? { tools } : {}),
    ...(typeof thinking === "boolean" ? { chat_template_kwargs: { enable_thinking: thinking } } : {}),
  };
}

/** A tool as a chat completion has it; a response has its parts side by side. */
function asTool(tool: Record<string, unknown>): Record<string, unknown> {
  const { type, function: held, ...parts } = tool;
  return { type, function: held ?? parts };
}

/** The messages that stood before an answer, as a chat completion writes them; of files, their names alone. */
function promptMessages(answer: Message): PromptMessage[] {
  const { chat, messages } = threadOf(answer.chat_id);
  const told: PromptMessage[] = [];
  let at = answer.parent_id === null ? undefined : messages[answer.parent_id];
  while (at) {
    told.unshift(...asMessages(at));
    at = at.parent_id === null ? undefined : messages[at.parent_id];
  }
  const { system } = chat.settings;
  return system ? [{ role: "system", content: system }, ...told] : told;
}

function asMessages({ role, content }: Message): PromptMessage[] {
  const results = content.flatMap((part) =>
    part.type === "tool_result" ? [{ role: "tool", content: part.output, tool_call_id: part.call_id }] : [],
  );
  const calls = content.flatMap((part) =>
    part.type === "tool_call"
      ? [
          {
            id: part.call_id,
            type: "function" as const,
            function: { name: part.name, arguments: part.arguments },
          },
        ]
      : [],
  );
  const files = content.flatMap((part) => ("attachment_id" in part ? [`[${part.name ?? part.type}]\n`] : []));
  const text = files.join("") + textOf(content);
  if (!text && calls.length === 0) return results;
  return [{ role, content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }, ...results];
}
