import { ask } from "./api";

export interface PromptMessage {
  role: string;
  content: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** What the model's template makes of messages. */
export async function renderedPrompt(
  model: string,
  messages: readonly PromptMessage[],
  signal: AbortSignal,
): Promise<string> {
  return (await ask<{ prompt: string }>("POST", "/apply-template", { model, messages }, signal)).prompt;
}
