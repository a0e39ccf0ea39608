type Body = Record<string, unknown>;

export type DialectName = "chat" | "messages" | "responses";

/** What differs between the three ways of asking. */
export interface Dialect {
  path: string;
  /** The field that bounds the answer. */
  tokensField: string;
  /** Headers that its own clients send. */
  headers: Record<string, string>;
  /** A first body, for a model. */
  first: (model: string, prompt: string) => Body;
  instructions: (body: Body) => string;
  withInstructions: (body: Body, text: string) => Body;
  /** The last message of the user. */
  prompt: (body: Body) => string;
  withPrompt: (body: Body, text: string) => Body;
  /** How many messages the conversation holds. */
  turns: (body: Body) => number;
}

const listOf = (value: unknown): Body[] =>
  Array.isArray(value) ? value.filter((one): one is Body => typeof one === "object" && one !== null) : [];

/** The text of a message, where it is one text or parts of which some are. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map(({ text }) => (typeof text === "string" ? text : ""))
    .join("");
}

function lastOfUser(turns: Body[]): number {
  return turns.findLastIndex(({ role }) => role === "user");
}

function withLast(turns: Body[], text: string): Body[] {
  const last = lastOfUser(turns);
  if (last < 0) return [...turns, { role: "user", content: text }];
  return turns.map((turn, place) => (place === last ? { ...turn, content: text } : turn));
}

/** A body with a field set, or without it where the value is empty. */
export function withField(body: Body, name: string, value: unknown): Body {
  const { [name]: _, ...rest } = body;
  return value === "" || value === undefined ? rest : { ...body, [name]: value };
}

const isSystem = ({ role }: Body) => role === "system" || role === "developer";

const chat: Dialect = {
  path: "/v1/chat/completions",
  tokensField: "max_tokens",
  headers: {},
  first: (model, prompt) => ({
    model,
    messages: [{ role: "user", content: prompt }],
    max_tokens: 256,
    stream: true,
  }),
  instructions: ({ messages }) => textOf(listOf(messages).find(isSystem)?.content),
  withInstructions: (body, text) => {
    const rest = listOf(body.messages).filter((turn) => !isSystem(turn));
    return { ...body, messages: text ? [{ role: "system", content: text }, ...rest] : rest };
  },
  prompt: ({ messages }) => textOf(listOf(messages)[lastOfUser(listOf(messages))]?.content),
  withPrompt: (body, text) => ({ ...body, messages: withLast(listOf(body.messages), text) }),
  turns: ({ messages }) => listOf(messages).length,
};

const messages: Dialect = {
  ...chat,
  path: "/v1/messages",
  headers: { "anthropic-version": "2023-06-01" },
  instructions: ({ system }) => textOf(system),
  withInstructions: (body, text) => withField(body, "system", text),
};

const responses: Dialect = {
  path: "/v1/responses",
  tokensField: "max_output_tokens",
  headers: {},
  first: (model, prompt) => ({ model, input: prompt, max_output_tokens: 256, store: false, stream: true }),
  instructions: ({ instructions }) => textOf(instructions),
  withInstructions: (body, text) => withField(body, "instructions", text),
  prompt: ({ input }) =>
    typeof input === "string" ? input : textOf(listOf(input)[lastOfUser(listOf(input))]?.content),
  withPrompt: (body, text) => ({
    ...body,
    input: Array.isArray(body.input) ? withLast(listOf(body.input), text) : text,
  }),
  turns: ({ input }) => (Array.isArray(input) ? input.length : 1),
};

export const DIALECTS: Record<DialectName, Dialect> = { chat, messages, responses };
export const DIALECT_NAMES: DialectName[] = ["chat", "messages", "responses"];
