import { expect, test } from "vitest";
import { sentences } from "@/components/chat/sentences";
import { marked } from "@/components/chat/snippet";
import { AnswerReader, type ResponseEvent } from "@/services/answer-reader";

const told: Omit<ResponseEvent, "sequence_number">[] = [
  { type: "response.created" },
  { type: "response.queued" },
  { type: "response.in_progress" },
  { type: "response.output_item.added", item: { type: "reasoning" } },
  { type: "response.reasoning_text.delta", delta: "Hm" },
  { type: "response.reasoning_text.delta", delta: "m." },
  { type: "response.output_item.done", item: { type: "reasoning", duration_s: 1.5 } },
  { type: "response.output_item.added", item: { type: "message" } },
  { type: "response.output_text.delta", delta: "Hel" },
  { type: "response.output_text.delta", delta: "lo" },
  { type: "response.output_item.added", item: { type: "function_call", call_id: "c", name: "f" } },
  { type: "response.function_call_arguments.delta", delta: '{"a":' },
  { type: "response.function_call_arguments.delta", delta: "1}" },
];
const events = told.map((event, sequence_number): ResponseEvent => ({ ...event, sequence_number }));
const PARTS = [
  { type: "reasoning", text: "Hmm.", duration_s: 1.5 },
  { type: "text", text: "Hello" },
  { type: "tool_call", call_id: "c", name: "f", arguments: '{"a":1}' },
];

test("events become parts, and those that come twice are read once", () => {
  const reader = new AnswerReader([]);
  for (const event of events.slice(0, 9)) reader.feed(event);
  for (const event of events) reader.feed(event);
  expect(reader.parts).toEqual(PARTS);
  expect(reader.seen).toBe(events.length - 1);
});

test("what tools of the server print and answer stands beside their calls", () => {
  const call = (id: string, more: object = {}) => ({
    type: "mcp_call",
    id,
    name: "f",
    arguments: "{}",
    ...more,
  });
  const work: Omit<ResponseEvent, "sequence_number">[] = [
    { type: "response.output_item.added", item: call("a") },
    { type: "response.output_item.added", item: call("b") },
    { type: "response.mcp_call.output.delta", item_id: "a", delta: "ha" },
    { type: "response.mcp_call.output.delta", item_id: "a", delta: "lf" },
    { type: "response.output_item.done", item: call("b", { output: null, error: "no" }) },
    { type: "response.output_item.done", item: call("a", { output: "whole" }) },
    { type: "response.output_item.added", item: { type: "message" } },
    { type: "response.output_text.delta", delta: "So." },
  ];
  const reader = new AnswerReader([]);
  const read = (count: number) => {
    work.slice(0, count).forEach((event, sequence_number) => {
      reader.feed({ ...event, sequence_number });
    });
    return reader.parts;
  };
  const named = (call_id: string) => ({ type: "tool_call", call_id, name: "f", arguments: "{}" });
  const half = { type: "tool_result", call_id: "a", output: "half", is_error: false };
  expect(read(4)).toEqual([named("a"), half, named("b")]);
  expect(read(8)).toEqual([
    named("a"),
    { ...half, output: "whole" },
    named("b"),
    { type: "tool_result", call_id: "b", output: "no", is_error: true },
    { type: "text", text: "So." },
  ]);
});

test("a model that is being loaded is known", () => {
  const reader = new AnswerReader([]);
  for (const event of events.slice(0, 2)) reader.feed(event);
  expect(reader.isQueued).toBe(true);
  for (const event of events.slice(2, 3)) reader.feed(event);
  expect(reader.isQueued).toBe(false);
});

test("what is continued follows what stood there, text after text", () => {
  const base = [{ type: "text" as const, text: "Well. " }];
  const reader = new AnswerReader(base);
  for (const event of events.slice(7, 10)) reader.feed(event);
  expect(reader.parts).toEqual([{ type: "text", text: "Well. Hello" }]);
  expect(base[0]?.text).toBe("Well. ");
});

test("sentences are told once they are complete", () => {
  expect(sentences("One. Two! Thr", false)).toEqual(["One. ", "Two! "]);
  expect(sentences("One. Two! Thr", true)).toEqual(["One. ", "Two! ", "Thr"]);
  expect(sentences("Version 1.5 is", false)).toEqual([]);
});

test("places of a snippet count characters", () => {
  expect(marked("a 😀 word", [[4, 8]])).toEqual([
    { text: "a 😀 ", isMatch: false, at: 0 },
    { text: "word", isMatch: true, at: 4 },
  ]);
});
