import { expect, test } from "vitest";
import { DIALECT_NAMES, DIALECTS } from "@/services/dialects";
import { saidBy, saidIn } from "@/services/said";

const frames = (...values: unknown[]) => values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("");
const chat = (delta: unknown) => ({ choices: [{ delta }] });

test("streams of each dialect say the same", () => {
  const said = [
    { kind: "thought", text: "hm, well" },
    { kind: "text", text: "Hello" },
    { kind: "call", text: 'look {"a":1}' },
  ];
  const call = (words: object) => chat({ tool_calls: [{ function: words }] });
  const streams = [
    frames(
      chat({ role: "assistant", content: null }),
      chat({ reasoning_content: "hm, " }),
      chat({ reasoning_content: "well" }),
      chat({ content: "Hel" }),
      chat({ content: "lo" }),
      call({ name: "look", arguments: "" }),
      call({ arguments: '{"a":1}' }),
    ),
    frames(
      { type: "message_start", message: {} },
      { type: "content_block_delta", delta: { thinking: "hm, well" } },
      { type: "content_block_delta", delta: { text: "Hello" } },
      { type: "content_block_start", content_block: { type: "tool_use", name: "look" } },
      { type: "content_block_delta", delta: { partial_json: '{"a":1}' } },
    ),
    frames(
      { type: "response.reasoning_text.delta", delta: "hm, well" },
      { type: "response.output_text.delta", delta: "Hello" },
      { type: "response.output_item.added", item: { type: "function_call", name: "look" } },
      { type: "response.function_call_arguments.delta", delta: '{"a":1}' },
      { type: "response.completed", response: { output: [] } },
    ),
  ];
  for (const stream of streams) expect(saidIn(stream)).toEqual(said);
});

test("whole answers of each dialect say the same", () => {
  const wholes = [
    { choices: [{ message: { content: "Hello" } }] },
    { type: "message", content: [{ type: "text", text: "Hello" }] },
    {
      object: "response",
      error: null,
      output: [{ type: "message", content: [{ type: "output_text", text: "Hello" }] }],
    },
  ];
  for (const whole of wholes)
    expect(saidIn(JSON.stringify(whole))).toEqual([{ kind: "text", text: "Hello" }]);
});

test.each([
  [{ error: { message: "No.", code: "x" } }],
  [{ type: "error", error: { type: "x", message: "No." } }],
  [{ type: "response.failed", response: { error: { message: "No." } } }],
  [{ error: "No." }],
])("%j is an error", (value) => {
  expect(saidBy(value)).toEqual([{ kind: "error", text: "No." }]);
});

test.each(DIALECT_NAMES)("the form of %s reads what it writes, and leaves the rest", (name) => {
  const dialect = DIALECTS[name];
  const first = { ...dialect.first("m", "Hi"), extra: [1] };
  const told = dialect.withInstructions(dialect.withPrompt(first, "Bye"), "Be brief.");
  expect([dialect.prompt(first), dialect.instructions(first), dialect.turns(first)]).toEqual(["Hi", "", 1]);
  expect([dialect.prompt(told), dialect.instructions(told), told.extra]).toEqual(["Bye", "Be brief.", [1]]);
  expect(dialect.withInstructions(told, "")).toEqual(dialect.withPrompt(first, "Bye"));
});
