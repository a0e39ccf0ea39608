import { expect, test } from "vitest";
import { BlockSplitter, withMath } from "@/components/chat/blocks";

const TEXT = [
  "# Title",
  "",
  "A paragraph",
  "of two lines.",
  "",
  "- one",
  "- two",
  "",
  "  still two",
  "",
  "```py",
  "x = 1",
  "",
  "y = `2`",
  "```",
  "",
  "$$",
  "a",
  "",
  "b",
  "$$",
  "",
  "| a | b |",
  "|---|---|",
  "| 1 | 2 |",
  "",
  "1. first",
  "2. second",
].join("\n");

test("a text that grows letter by letter has the blocks of the whole one", () => {
  const whole = new BlockSplitter().split(TEXT).map(({ text }) => text);
  const growing = new BlockSplitter();
  let last: string[] = [];
  for (let end = 1; end <= TEXT.length; end++) {
    last = growing.split(TEXT.slice(0, end)).map(({ text }) => text);
    expect(last.join("")).toBe(TEXT.slice(0, end));
  }
  expect(last).toEqual(whole);
  expect(whole.filter((text) => text.startsWith("```"))).toHaveLength(1);
  expect(whole.filter((text) => text.startsWith("$$"))).toEqual(["$$\na\n\nb\n$$\n\n"]);
});

test("blocks before the last one stay the same objects", () => {
  const splitter = new BlockSplitter();
  const before = splitter.split("One.\n\nTwo.\n\nThr");
  const after = splitter.split("One.\n\nTwo.\n\nThree");
  expect(after[0]).toBe(before[0]);
  expect(after[1]).toBe(before[1]);
  expect(after[2]?.text).toBe("Three");
});

test("another text is split anew", () => {
  const splitter = new BlockSplitter();
  splitter.split("One.\n\nTwo.");
  expect(splitter.split("Other.").map(({ text }) => text)).toEqual(["Other."]);
});

test("only code is code", () => {
  const blocks = new BlockSplitter().split("text\n\n```js\n1\n```\n");
  expect(blocks.map(({ isCode }) => isCode)).toEqual([false, true]);
});

test.each([
  ["\\(a+b\\)", "$a+b$"],
  ["\\[a+b\\]", "$$\na+b\n$$"],
  ["$$x$$", "$$\nx\n$$"],
  ["  $$x$$", "  $$\n  x\n  $$"],
  ["$5 and $6", "\\$5 and \\$6"],
  ["it costs $5", "it costs \\$5"],
  ["$x$ and $y_1$", "$x$ and $y_1$"],
  ["from $10 to $x$", "from \\$10 to $x$"],
  ["`\\(a\\)` and `$5`", "`\\(a\\)` and `$5`"],
  ["```\n$5 and $6 \\[x\\]\n```", "```\n$5 and $6 \\[x\\]\n```"],
  ["no math", "no math"],
  ["already \\$5", "already \\$5"],
])("%j becomes %j", (given, wanted) => {
  expect(withMath(given)).toBe(wanted);
});
