/** One server-sent event. `data` is the joined text of its data lines. */
export interface ServerEvent {
  event: string;
  data: string;
  /** Where a lost stream goes on, where the event said so. */
  id?: string;
}

/** Splits a stream of text into events, wherever its chunks were cut. Source: the HTML standard, server-sent events. */
export class EventSplitter {
  private rest = "";
  private event = "";
  private id: string | undefined;
  private data: string[] = [];

  /** The events that `text` completes. */
  feed(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const all = this.rest + text;
    const ends = /\r\n|\n|\r/g;
    let start = 0;
    for (let end = ends.exec(all); end; end = ends.exec(all)) {
      // A carriage return at the very end may be half of a pair.
      if (end[0] === "\r" && ends.lastIndex === all.length) break;
      this.line(all.slice(start, end.index), events);
      start = ends.lastIndex;
    }
    this.rest = all.slice(start);
    return events;
  }

  private line(line: string, events: ServerEvent[]): void {
    if (line === "") {
      const named = this.id === undefined ? {} : { id: this.id };
      if (this.data.length > 0)
        events.push({ event: this.event || "message", data: this.data.join("\n"), ...named });
      this.event = "";
      this.id = undefined;
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    if (name === "id") this.id = value;
    if (name === "data") this.data.push(value);
  }
}

/** The events of an open answer, as they come. */
export async function* events(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const splitter = new EventSplitter();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield* splitter.feed(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
