/** One request as a program would send it: the body is the very text, which must be JSON. */
export interface Asked {
  /** Without a slash at its end. */
  origin: string;
  path: string;
  body: string;
  /** Beside the content type. */
  headers: Record<string, string>;
}

export type Tongue = "curl" | "python" | "javascript";
export const TONGUES: Tongue[] = ["curl", "python", "javascript"];

/** A program that sends the request, in the words of `tongue`. Nothing needs to be installed for it. */
export function snippet(tongue: Tongue, asked: Asked): string {
  return { curl, python, javascript }[tongue](asked);
}

function headersOf({ headers }: Asked): [string, string][] {
  return [["Content-Type", "application/json"], ...Object.entries(headers)];
}

function isStreamed(body: string): boolean {
  return (JSON.parse(body) as { stream?: unknown }).stream === true;
}

/** A text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl(asked: Asked): string {
  const words = [`curl${isStreamed(asked.body) ? " -N" : ""} ${asked.origin}${asked.path}`];
  for (const [name, value] of headersOf(asked)) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  words.push(`--data-raw ${quoted(asked.body)}`);
  return words.join(" \\\n  ");
}

const WORDS: Record<string, string> = { true: "True", false: "False", null: "None" };

/** JSON as Python writes it. Numbers stay as they are written; of texts only `\/` means something else there. */
export function pythonOf(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/gs, (found) =>
    found.startsWith('"')
      ? found.replace(/\\(.)/gs, (pair, letter) => (letter === "/" ? "/" : pair))
      : (WORDS[found] ?? found),
  );
}

function python(asked: Asked): string {
  const headers = headersOf(asked).map(
    ([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},`,
  );
  return `import json
import urllib.request

body = ${pythonOf(asked.body)}
headers = {
${headers.join("\n")}
}
url = ${JSON.stringify(asked.origin + asked.path)}
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
with urllib.request.urlopen(request) as answer:
    for line in answer:
        print(line.decode(), end="")
`;
}

function javascript(asked: Asked): string {
  const headers = headersOf(asked).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},`,
  );
  return `const body = ${asked.body};
const headers = {
${headers.join("\n")}
};
const url = ${JSON.stringify(asked.origin + asked.path)};
const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
for await (const text of answer.body.pipeThrough(new TextDecoderStream())) console.log(text);
`;
}
