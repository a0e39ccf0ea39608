import { ask } from "./api";

export interface PromptMessage {
  role: string;
  content: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

export interface PromptAsked {
  model: string;
  messages: readonly PromptMessage[];
  tools?: unknown[];
  chat_template_kwargs?: Record<string, unknown>;
}

/** What the model's template makes of messages, with the tools that were offered. */
export async function renderedPrompt(asked: PromptAsked, signal: AbortSignal): Promise<string> {
  return (await ask<{ prompt: string }>("POST", "/apply-template", asked, signal)).prompt;
}

/** What the model read for an answer that is kept: as it was asked then, with the text of what was attached. */
export async function promptOf(chat: string, id: string, signal: AbortSignal): Promise<string> {
  return (await ask<{ prompt: string }>("GET", `/api/chats/${chat}/messages/${id}/prompt`, undefined, signal))
    .prompt;
}

type Piece = string | number[];

/** How much of a prompt its first `count` tokens are, in characters; null where its tokens do not make it up. */
export async function lengthOfTokens(
  model: string,
  prompt: string,
  count: number,
  signal: AbortSignal,
): Promise<number | null> {
  const asked = { model, content: prompt, add_special: true, parse_special: true, with_pieces: true };
  const { tokens } = await ask<{ tokens: { piece: Piece }[] }>("POST", "/tokenize", asked, signal);
  const pieces = tokens.slice(0, count).map(({ piece }) => piece);
  // A token that marks the beginning stands before what the template wrote.
  return [pieces, pieces.slice(1)].map(joined).find((text) => prompt.startsWith(text))?.length ?? null;
}

/** Pieces as text, without the letter that the last one cut in two. */
function joined(pieces: readonly Piece[]): string {
  const bytes = pieces.flatMap((one) => (typeof one === "string" ? [...new TextEncoder().encode(one)] : one));
  return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\uFFFD+$/, "");
}
