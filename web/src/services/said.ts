/** A piece of what an answer says. */
export interface Piece {
  kind: "text" | "thought" | "call" | "error";
  text: string;
}

type Json = Record<string, unknown>;

const objects = (value: unknown): Json[] =>
  Array.isArray(value) ? value.filter((one): one is Json => typeof one === "object" && one !== null) : [];
const object = (value: unknown): Json => objects([value])[0] ?? {};

function piece(kind: Piece["kind"], text: unknown): Piece[] {
  return typeof text === "string" && text ? [{ kind, text }] : [];
}

/** What one JSON value of an answer says: a whole answer, or one event of a stream; of any of the dialects. */
export function saidBy(value: unknown): Piece[] {
  const read = object(value);
  const kind = typeof read.type === "string" ? read.type : "";
  if (read.error || kind === "error") return errorOf(read);
  if (Array.isArray(read.choices)) return objects(read.choices).flatMap(choiceOf);
  if (kind === "message") return objects(read.content).flatMap(partOf);
  if (read.object === "response") return objects(read.output).flatMap(itemOf);
  if (kind === "response.failed") return errorOf(object(read.response));
  if (kind === "content_block_start") return callOf(object(read.content_block));
  if (kind === "content_block_delta") return deltaOf(object(read.delta));
  if (kind === "response.output_item.added") return callOf(object(read.item));
  if (kind === "response.output_text.delta") return piece("text", read.delta);
  if (kind === "response.reasoning_text.delta" || kind === "response.reasoning_summary_text.delta")
    return piece("thought", read.delta);
  if (kind === "response.function_call_arguments.delta") return piece("call", read.delta);
  return [];
}

function errorOf(read: Json): Piece[] {
  const told = typeof read.error === "string" ? read.error : (object(read.error).message ?? read.message);
  return piece("error", told ?? JSON.stringify(read));
}

function choiceOf(choice: Json): Piece[] {
  const said = object(choice.delta ?? choice.message);
  const calls = objects(said.tool_calls).map((call) => object(call.function));
  return [
    ...piece("thought", said.reasoning_content),
    ...piece("text", said.content ?? choice.text),
    ...calls.flatMap(({ name, arguments: words }) => [
      ...piece("call", name && `${name} `),
      ...piece("call", words),
    ]),
  ];
}

function callOf(read: Json): Piece[] {
  const isCall = read.type === "tool_use" || read.type === "function_call";
  return isCall ? piece("call", `${read.name} `) : [];
}

function deltaOf({ text, thinking, partial_json }: Json): Piece[] {
  return [...piece("text", text), ...piece("thought", thinking), ...piece("call", partial_json)];
}

function partOf(part: Json): Piece[] {
  if (part.type === "tool_use") return piece("call", `${part.name} ${JSON.stringify(part.input)}`);
  return [...piece("text", part.text), ...piece("thought", part.thinking)];
}

function itemOf(item: Json): Piece[] {
  if (item.type === "function_call") return piece("call", `${item.name} ${item.arguments}`);
  const kind = item.type === "reasoning" ? "thought" : "text";
  return objects(item.content ?? item.summary).flatMap(({ text }) => piece(kind, text));
}

/** Pieces with those of one kind that follow each other joined. */
export function joinedPieces(pieces: Piece[]): Piece[] {
  const out: Piece[] = [];
  for (const { kind, text } of pieces) {
    const last = out.at(-1);
    if (last?.kind === kind) out[out.length - 1] = { kind, text: last.text + text };
    else out.push({ kind, text });
  }
  return out;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a whole recorded answer says, streamed or not. */
export function saidIn(answer: string): Piece[] {
  const whole = parsed(answer);
  if (whole) return joinedPieces(saidBy(whole));
  const lines = answer.split("\n").filter((line) => line.startsWith("data:"));
  return joinedPieces(lines.flatMap((line) => saidBy(parsed(line.slice(5)))));
}
