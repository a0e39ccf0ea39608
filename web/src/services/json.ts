/** Where a text stops being JSON. Lines and columns count from 1. */
export interface JsonFault {
  line: number;
  column: number;
  /** What was expected there. */
  kind: "value" | "name" | "colon" | "comma" | "text" | "rest" | "deep";
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON texts hold none of them
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const DEPTH_MOST = 100;

class Stop extends Error {
  constructor(
    readonly at: number,
    readonly kind: JsonFault["kind"],
  ) {
    super(kind);
  }
}

/** The first fault of a text that should be JSON; null where there is none. Source: RFC 8259. */
export function faultOf(text: string): JsonFault | null {
  try {
    const end = skipped(text, valueAt(text, skipped(text, 0), 0));
    if (end < text.length) throw new Stop(end, "rest");
    return null;
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    const before = text.slice(0, stop.at).split("\n");
    return { line: before.length, column: (before.at(-1) ?? "").length + 1, kind: stop.kind };
  }
}

function matched(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

function skipped(text: string, at: number): number {
  return matched(SPACE, text, at) ?? at;
}

function valueAt(text: string, at: number, depth: number): number {
  if (depth > DEPTH_MOST) throw new Stop(at, "deep");
  if (text[at] === '"') return textAt(text, at);
  if (text[at] === "{") return listAt(text, at, "}", depth);
  if (text[at] === "[") return listAt(text, at, "]", depth);
  const end = matched(SCALAR, text, at);
  if (end === null) throw new Stop(at, "value");
  return end;
}

function textAt(text: string, at: number): number {
  const end = matched(TEXT, text, at);
  if (end === null) throw new Stop(at, "text");
  return end;
}

/** The end of an object or an array that begins at `at`. */
function listAt(text: string, at: number, close: "}" | "]", depth: number): number {
  let place = skipped(text, at + 1);
  if (text[place] === close) return place + 1;
  for (;;) {
    if (close === "}") {
      if (text[place] !== '"') throw new Stop(place, "name");
      place = skipped(text, textAt(text, place));
      if (text[place] !== ":") throw new Stop(place, "colon");
      place = skipped(text, place + 1);
    }
    place = skipped(text, valueAt(text, place, depth + 1));
    if (text[place] === close) return place + 1;
    if (text[place] !== ",") throw new Stop(place, "comma");
    place = skipped(text, place + 1);
  }
}

/** JSON set out over lines; another text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
