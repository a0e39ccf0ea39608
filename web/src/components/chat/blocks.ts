import { Lexer } from "marked";

/** A top-level block of Markdown: a paragraph, a list, a piece of code. */
export interface Block {
  text: string;
  isCode: boolean;
}

/** Splits a text into blocks. What grew at its end is split anew from its last block on; the others stay as they are. */
export class BlockSplitter {
  private blocks: Block[] = [];
  /** The text up to the last block. */
  private settled = "";

  split(text: string): readonly Block[] {
    if (!text.startsWith(this.settled)) {
      this.blocks = [];
      this.settled = "";
    }
    const kept = this.settled ? this.blocks.slice(0, -1) : [];
    const fresh = blocksOf(text.slice(this.settled.length));
    this.blocks = [...kept, ...fresh];
    const last = this.blocks.at(-1);
    this.settled = last ? text.slice(0, text.length - last.text.length) : "";
    return this.blocks;
  }
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open = false;
  let left = text.length;
  for (const { type, raw } of new Lexer({ gfm: true }).lex(text)) {
    const last = blocks.at(-1);
    if (last && (open || type === "space")) last.text += raw;
    else if (last && !last.isCode && !last.text.trim()) last.text += raw;
    else blocks.push({ text: raw, isCode: type === "code" });
    left -= raw.length;
    const now = blocks.at(-1);
    // Mathematics over several paragraphs is one block.
    open = now !== undefined && !now.isCode && type !== "code" && isMathOpen(now.text);
  }
  // The lexer brings line ends and tabs into one form; a text that it did not keep letter by letter is one block.
  return left === 0 && blocks.map((block) => block.text).join("") === text
    ? blocks
    : [{ text, isCode: false }];
}

function isMathOpen(text: string): boolean {
  const plain = text.replace(CODE, "");
  return plain.split("$$").length % 2 === 0 || plain.lastIndexOf("\\[") > plain.lastIndexOf("\\]");
}

const CODE = /(^|\n)[ \t]*(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:\n[ \t]*\2[^\n]*|$)|(`+)(?!`)[\s\S]*?[^`]\3(?!`)/g;

/** Bring the ways of writing mathematics into the one that remark-math reads, outside code. */
export function withMath(text: string): string {
  if (!/[$\\]/.test(text)) return text;
  let out = "";
  let at = 0;
  for (const code of text.matchAll(CODE)) {
    out += mathIn(text.slice(at, code.index)) + code[0];
    at = code.index + code[0].length;
  }
  return out + mathIn(text.slice(at));
}

function mathIn(text: string): string {
  return dollars(
    text
      .replace(/\\\[([\s\S]+?)\\\]/g, (_, inner: string) => `$$${inner}$$`)
      .replace(/\\\(([\s\S]+?)\\\)/g, (_, inner: string) => `$${inner.trim()}$`),
  ).replace(/^([ \t]*)\$\$[ \t]*(\S[^$\n]*?|[^$\n]*\n[^$]*?)[ \t]*\$\$[ \t]*([.,;:]?)[ \t]*$/gm, display);
}

/** `$$x$$` on a line of its own stands by itself; remark-math wants its fences on lines of their own. */
function display(_: string, indent: string, inner: string, end: string): string {
  const lines = inner
    .trim()
    .split("\n")
    .map((line) => indent + line.trim());
  return `${indent}$$\n${lines.join("\n")}\n${indent}$$${end ? `\n${indent}${end}` : ""}`;
}

/** Escape single dollars that are money: mathematics has no space inside its dollars, and no digit after them. */
function dollars(text: string): string {
  let out = "";
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf("$", at);
    if (next < 0) return out + text.slice(at);
    out += text.slice(at, next);
    if (text[next - 1] === "\\") {
      out += "$";
      at = next + 1;
    } else if (text[next + 1] === "$") {
      const end = text.indexOf("$$", next + 2);
      const until = end < 0 ? text.length : end + 2;
      out += text.slice(next, until);
      at = until;
    } else {
      const math = /^\$(?!\s)(?:[^$\\\n]|\\[\s\S]|\n(?!\s*\n))*?(?<!\s)\$(?!\d)/.exec(
        text.slice(next, next + 2000),
      );
      out += math ? math[0] : "\\$";
      at = next + (math ? math[0].length : 1);
    }
  }
  return out;
}
