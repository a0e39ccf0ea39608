import { expect, test } from "vitest";
import { EventSplitter, type ServerEvent } from "@/services/sse";

const STREAM =
  ': a comment\n\nevent: one\ndata: {"a": 1}\n\ndata: two\r\ndata: lines\r\n\r\nevent: empty\n\ndata\n\ndata:x\n\n';
const EVENTS: ServerEvent[] = [
  { event: "one", data: '{"a": 1}' },
  { event: "message", data: "two\nlines" },
  { event: "message", data: "" },
  { event: "message", data: "x" },
];

function split(...pieces: string[]): ServerEvent[] {
  const splitter = new EventSplitter();
  return pieces.flatMap((piece) => splitter.feed(piece));
}

test("a stream is the same wherever it is cut", () => {
  expect(split(STREAM)).toEqual(EVENTS);
  for (let at = 0; at <= STREAM.length; at++)
    expect(split(STREAM.slice(0, at), STREAM.slice(at))).toEqual(EVENTS);
  expect(split(...STREAM)).toEqual(EVENTS);
});

test("an event that is not complete is not told", () => {
  expect(split("event: one\ndata: 1\n")).toEqual([]);
});
