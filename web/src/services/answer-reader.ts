import type { Approval, Part, ToolFile } from "./chat-shapes";

/** The items of a response, as an event brings them. */
interface Item {
  type: string;
  id?: string;
  call_id?: string;
  name?: string;
  arguments?: string;
  /** Of a tool that the server ran: what it answered, or why it failed. */
  output?: string | null;
  error?: string | null;
  files?: ToolFile[];
  duration_s?: number | null;
  content?: { text?: string }[];
}

export interface ResponseEvent {
  type: string;
  sequence_number: number;
  delta?: string;
  item_id?: string;
  item?: Item;
  /** Of a call that waits for an answer, or had one. */
  approval?: Approval;
  response?: {
    id: string;
    status: string;
    error?: { code: string; message: string } | null;
    usage?: {
      input_tokens: number;
      output_tokens: number;
      total_tokens: number;
      input_tokens_details?: { cached_tokens?: number };
    } | null;
    timings?: Record<string, number | null>;
  };
}

export const ENDINGS = ["response.completed", "response.incomplete", "response.failed"];

/** Builds the parts of a message from a response's events, after what stood there before. Replays do no harm. */
export class AnswerReader {
  readonly parts: Part[];
  /** Whether the model is being loaded, or others come first. */
  isQueued = false;
  /** The number of the last event that was read. */
  seen = -1;

  constructor(base: readonly Part[]) {
    this.parts = base.map((part) => ({ ...part }));
  }

  feed(event: ResponseEvent): void {
    if (event.sequence_number <= this.seen) return;
    this.seen = event.sequence_number;
    if (event.type === "response.queued") this.isQueued = true;
    if (event.type === "response.in_progress") this.isQueued = false;
    if (event.type === "response.output_item.added" && event.item) this.begin(event.item);
    if (event.type === "response.output_item.done" && event.item) this.close(event.item);
    if (event.type === "response.mcp_call.approval.requested")
      this.ask(event.item_id, event.approval ?? null);
    if (event.type === "response.mcp_call.approval.answered") this.ask(event.item_id, null);
    if (!event.type.endsWith(".delta") || event.delta === undefined) return;
    const last = this.parts.at(-1);
    if (event.type.startsWith("response.mcp_call.")) this.printed(event.item_id ?? "", event.delta);
    else if (!last) return;
    else if (last.type === "tool_call") this.replace({ ...last, arguments: last.arguments + event.delta });
    else if (last.type === "text" || last.type === "reasoning")
      this.replace({ ...last, text: last.text + event.delta });
  }

  /** A call waits for somebody's answer, or does so no more. */
  private ask(callId: string | undefined, approval: Approval | null): void {
    const at = this.parts.findIndex((part) => part.type === "tool_call" && part.call_id === callId);
    const call = this.parts[at];
    if (call?.type === "tool_call") this.parts[at] = { ...call, approval };
  }

  /** What a tool prints while it works; several may be at work. */
  private printed(callId: string, text: string): void {
    const at = this.parts.findIndex((part) => part.type === "tool_result" && part.call_id === callId);
    const before = this.parts[at];
    if (before?.type === "tool_result") this.parts[at] = { ...before, output: before.output + text };
    else this.settle(callId, text, false);
  }

  /** Put a tool's answer beside its call. */
  private settle(callId: string, output: string, isError: boolean, files?: ToolFile[]): void {
    const told = files && files.length > 0 ? { files } : {};
    const made: Part = { type: "tool_result", call_id: callId, output, is_error: isError, ...told };
    const at = this.parts.findIndex((part) => part.type === "tool_result" && part.call_id === callId);
    const call = this.parts.findIndex((part) => part.type === "tool_call" && part.call_id === callId);
    if (at >= 0) this.parts[at] = made;
    else this.parts.splice(call + 1, 0, made);
  }

  private begin(item: Item): void {
    if (item.type === "message") {
      if (this.parts.at(-1)?.type !== "text") this.parts.push({ type: "text", text: "" });
    } else if (item.type === "reasoning") this.parts.push({ type: "reasoning", text: "", duration_s: null });
    else if (item.type.endsWith("_call"))
      this.parts.push({
        type: "tool_call",
        call_id: item.call_id ?? item.id ?? "",
        name: item.name ?? "",
        arguments: item.arguments ?? "",
      });
  }

  private close(item: Item): void {
    const last = this.parts.at(-1);
    if (item.type === "reasoning" && last?.type === "reasoning")
      this.replace({ ...last, duration_s: item.duration_s ?? null });
    if (item.type === "mcp_call")
      this.settle(item.id ?? "", item.output ?? item.error ?? "", item.output == null, item.files);
    else if (item.type.endsWith("_call") && last?.type === "tool_call")
      this.replace({ ...last, arguments: item.arguments ?? last.arguments });
  }

  private replace(part: Part): void {
    this.parts[this.parts.length - 1] = part;
  }
}
