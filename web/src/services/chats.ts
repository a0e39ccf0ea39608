import { ask, refusal, send } from "./api";
import type { Attachment, Chat, Folder, Hit, Message, Part, Preset, Role, Settings } from "./chat-shapes";
import { saveFile } from "./files";
import type { components } from "./schema";

export type ChatPatch = Partial<
  Pick<Chat, "title" | "folder_id" | "pinned" | "archived" | "settings" | "draft" | "leaf_id">
>;
type Listed<T> = { data: T[] };

function query(values: Record<string, string | number | null | undefined>): string {
  const filled = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(filled.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : "";
}

export interface ChatsAsked {
  cursor?: string | null;
  folder_id?: string | null;
  archived?: "true" | "false";
}

export const chats = {
  page: (asked: ChatsAsked, signal?: AbortSignal) =>
    ask<{ data: Chat[]; next_cursor: string | null }>(
      "GET",
      `/api/chats${query({ limit: 50, ...asked })}`,
      undefined,
      signal,
    ),
  whole: (id: string, signal?: AbortSignal) =>
    ask<Chat & { messages: Message[] }>("GET", `/api/chats/${id}`, undefined, signal),
  head: (id: string) => ask<Chat>("GET", `/api/chats/${id}?messages=none`),
  create: (body: ChatPatch & { id: string }) => ask<Chat>("POST", "/api/chats", body),
  /** `isLast`: the tab is closing, and the request has to outlive it. */
  change: async (id: string, patch: ChatPatch, isLast = false): Promise<Chat | null> => {
    if (!isLast) return await ask<Chat>("PATCH", `/api/chats/${id}`, patch);
    const headers = { "Content-Type": "application/json" };
    const url = new URL(`/api/chats/${id}`, location.origin).href;
    await send(url, { method: "PATCH", body: JSON.stringify(patch), headers, keepalive: true });
    return null;
  },
  remove: (id: string) => ask<{ id: string }>("DELETE", `/api/chats/${id}`),
  restore: (id: string) => ask<Chat>("POST", `/api/chats/${id}/restore`),
  fork: (id: string, message_id: string) => ask<Chat>("POST", `/api/chats/${id}/fork`, { message_id }),
  search: (q: string, signal?: AbortSignal) =>
    ask<{ data: Hit[]; took_s: number }>(
      "GET",
      `/api/chats/search${query({ q: q.slice(0, 200), limit: 20, archived: "any" })}`,
      undefined,
      signal,
    ),
};

interface NewMessage {
  id: string;
  parent_id: string | null;
  role: Role;
  content: Part[];
}

interface NewAnswer {
  id?: string;
  parent_id?: string | null;
  model?: string;
  settings?: Settings;
  continues?: string;
  select?: boolean;
}

export type ExportForm = "json" | "markdown" | "sharegpt";
export type Imported = components["schemas"]["Imported"];

const ENDINGS: Record<ExportForm, string> = { json: "json", markdown: "md", sharegpt: "jsonl" };

interface Saving {
  id?: string;
  signal?: AbortSignal;
  /** Is told how many bytes there are so far. */
  onBytes?: (count: number) => void;
}

async function gathered(response: Response, onBytes?: (count: number) => void): Promise<Blob> {
  const reader = response.body?.getReader();
  const pieces: BlobPart[] = [];
  for (let count = 0; reader; ) {
    const { value, done } = await reader.read();
    if (done) break;
    pieces.push(value);
    count += value.length;
    onBytes?.(count);
  }
  return new Blob(pieces);
}

export const files = {
  /** Chats as a file: all of them, or one. */
  save: async (form: ExportForm, name: string, { id, signal, onBytes }: Saving = {}): Promise<void> => {
    const url = new URL(`/api/chats/export${query({ format: form, id })}`, location.origin).href;
    const response = await send(url, { signal });
    if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
    saveFile(`${name}.${ENDINGS[form]}`, await gathered(response, onBytes));
  },
  /** What is in a file of chats; with `places`, those are brought in. */
  bring: async (file: Blob, places: string | null, signal: AbortSignal): Promise<Imported> => {
    const asked = places === null ? { dry_run: "true" } : { places };
    const url = new URL(`/api/chats/import${query(asked)}`, location.origin).href;
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await send(url, { method: "POST", body: file, headers, signal });
    const said = (await response.json().catch(() => null)) as unknown;
    if (!response.ok) throw refusal(said, response.status);
    return said as Imported;
  },
};

export const messages = {
  get: (chat: string, id: string) => ask<Message>("GET", `/api/chats/${chat}/messages/${id}`),
  create: (chat: string, body: NewMessage) => ask<Message>("POST", `/api/chats/${chat}/messages`, body),
  change: (chat: string, id: string, content: Part[]) =>
    ask<Message>("PATCH", `/api/chats/${chat}/messages/${id}`, { content }),
  remove: (chat: string, id: string) =>
    ask<{ leaf_id: string | null }>("DELETE", `/api/chats/${chat}/messages/${id}`),
  restore: (chat: string, id: string) => ask<Message>("POST", `/api/chats/${chat}/messages/${id}/restore`),
  answer: (chat: string, body: NewAnswer) =>
    ask<{ message: Message; response_id: string }>("POST", `/api/chats/${chat}/answers`, body),
  stop: (response: string) => ask<unknown>("POST", `/v1/responses/${response}/cancel`),
};

export const folders = {
  list: async () => (await ask<Listed<Folder>>("GET", "/api/folders")).data,
  create: (name: string) => ask<Folder>("POST", "/api/folders", { name }),
  rename: (id: string, name: string) => ask<Folder>("PATCH", `/api/folders/${id}`, { name }),
  remove: (id: string) => ask<unknown>("DELETE", `/api/folders/${id}`),
};

export const presets = {
  list: async () => (await ask<Listed<Preset>>("GET", "/api/presets")).data,
  create: (name: string, settings: Settings) => ask<Preset>("POST", "/api/presets", { name, settings }),
  change: (id: string, settings: Settings) => ask<Preset>("PATCH", `/api/presets/${id}`, { settings }),
  remove: (id: string) => ask<unknown>("DELETE", `/api/presets/${id}`),
};

export const attachments = {
  get: (id: string) => ask<Attachment>("GET", `/api/attachments/${id}`),
  upload: async (file: Blob, name: string, id: string): Promise<Attachment> => {
    const url = new URL(`/api/attachments${query({ name, id })}`, location.origin).href;
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    const response = await send(url, { method: "POST", body: file, headers });
    const said = (await response.json().catch(() => null)) as unknown;
    if (!response.ok) throw refusal(said, response.status);
    return said as Attachment;
  },
  remove: (id: string) => ask<unknown>("DELETE", `/api/attachments/${id}`),
  /** The bytes of one, as an address that this page may show. An image element cannot send the key. */
  content: async (id: string): Promise<string> => {
    const response = await send(new URL(`/api/attachments/${id}/content`, location.origin).href);
    if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
    return URL.createObjectURL(await response.blob());
  },
  text: async (id: string): Promise<string> => {
    const response = await send(new URL(`/api/attachments/${id}/text`, location.origin).href);
    if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
    return await response.text();
  },
};
