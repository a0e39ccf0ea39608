/** The page's chats as the server keeps them; docs/chats.md tells each field. */

export type Role = "user" | "assistant" | "system" | "tool";
export type Status = "complete" | "generating" | "stopped" | "failed" | "cut";

export type TextPart = { type: "text"; text: string };
export type ReasoningPart = { type: "reasoning"; text: string; duration_s: number | null };
export type AttachedPart = { type: "image" | "document"; attachment_id: string; name?: string | null };
/** What a person may say of a call that waits for it. */
export const ANSWERS = ["once", "chat", "always", "no", "never"] as const;
export type ApprovalAnswer = (typeof ANSWERS)[number];
export type Approval = { id: string; answers: ApprovalAnswer[] };
/** `approval` is there while the call waits until somebody has said whether it may be carried out. */
export type CallPart = {
  type: "tool_call";
  call_id: string;
  name: string;
  arguments: string;
  approval?: Approval | null;
};
/** A file that a tool made, and where it can be fetched while its session lasts. */
export type ToolFile = { path: string; size_bytes: number; media_type: string; url?: string | null };
export type ResultPart = {
  type: "tool_result";
  call_id: string;
  output: string;
  is_error?: boolean;
  files?: ToolFile[];
};
export type Part = TextPart | ReasoningPart | AttachedPart | CallPart | ResultPart;

export interface Usage {
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  total_tokens: number;
}

export interface Timings {
  wait_s: number | null;
  total_s: number | null;
  reasoning_s: number | null;
  prompt_tokens: number | null;
  prompt_s: number | null;
  prompt_tokens_per_s: number | null;
  output_tokens: number | null;
  output_s: number | null;
  output_tokens_per_s: number | null;
}

export interface Message {
  id: string;
  chat_id: string;
  parent_id: string | null;
  role: Role;
  model: string | null;
  content: Part[];
  created_s: number;
  updated_s: number;
  revision: number;
  status: Status;
  response_id: string | null;
  base: Part[];
  usage: Usage | null;
  timings: Timings | null;
  error: { code: string; message: string } | null;
}

export const EFFORTS = ["none", "minimal", "low", "medium", "high"] as const;

export interface Settings {
  model?: string | null;
  system?: string | null;
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  repetition_penalty?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  seed?: number | null;
  max_output_tokens?: number | null;
  stop?: string[] | null;
  thinking?: boolean | null;
  effort?: (typeof EFFORTS)[number] | null;
  tools?: string[] | null;
  extra?: Record<string, unknown> | null;
}

export interface Draft {
  text: string;
  attachments: string[];
  model: string | null;
}

export interface Chat {
  id: string;
  title: string | null;
  folder_id: string | null;
  created_s: number;
  updated_s: number;
  pinned: boolean;
  archived: boolean;
  deleted_s: number | null;
  settings: Settings;
  draft: Draft | null;
  leaf_id: string | null;
  revision: number;
  draft_revision: number;
  is_generating: boolean;
  message_count: number;
}

export interface Hit {
  kind: "title" | "message";
  chat_id: string;
  title: string | null;
  message_id: string | null;
  role: Role | null;
  created_s: number;
  snippet: { text: string; matches: [number, number][] };
}

export interface Folder {
  id: string;
  name: string;
  position: number;
}

export interface Preset {
  id: string;
  name: string;
  settings: Settings;
}

export interface Attachment {
  id: string;
  kind: "image" | "document";
  name: string;
  media_type: string;
  size_bytes: number;
  width: number | null;
  height: number | null;
  characters: number | null;
}

/** What a stream of changes tells. */
export type Change =
  | { kind: "chat" | "chat_deleted"; chat_id: string }
  | {
      kind: "message";
      chat_id: string;
      message_id: string;
      status: Status;
      response_id: string | null;
      revision: number;
    }
  | { kind: "message_deleted"; chat_id: string; message_id: string }
  | { kind: "folders" | "presets" | "reset" };
