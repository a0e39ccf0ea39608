import { queryOptions } from "@tanstack/react-query";
import { ask, refusal, send } from "./api";
import type { ApprovalAnswer, ToolFile } from "./chat-shapes";
import { saveFile } from "./files";
import type { components } from "./schema";

/** A tool that the server runs itself. */
export interface Tool {
  name: string;
  /** Another name by which it is turned on with others; "" for none. */
  group: string;
  description: string;
  /** Whether anybody may have it used who may ask. */
  is_harmless: boolean;
  /** Whether a person is asked before a call, where nothing else was decided. */
  wants_asking: boolean;
  /** Why it cannot be used here, and what helps; "" where it can. */
  why_off: string;
}

export const serverTools = queryOptions({
  queryKey: ["api", "tools"],
  queryFn: async ({ signal }): Promise<Tool[]> =>
    (await ask<{ data: Tool[] }>("GET", "/api/tools", undefined, signal)).data,
  staleTime: 60_000,
});

export type PermissionWord = components["schemas"]["PermissionTable"]["permissions"][string];
type Permissions = Readonly<Record<string, PermissionWord>>;

/** What whoever looks at the page has decided about tools, by their names or groups. */
export const toolPermissions = queryOptions({
  queryKey: ["api", "tools", "permissions"],
  queryFn: async ({ signal }): Promise<Permissions> =>
    (await ask<{ permissions: Permissions }>("GET", "/api/tools/permissions", undefined, signal)).permissions,
});

/** Decide about a tool or a group from now on; null takes that back. What is decided then. */
export const decideTool = async (name: string, word: PermissionWord | null): Promise<Permissions> =>
  (
    await ask<{ permissions: Permissions }>("PUT", "/api/tools/permissions", {
      permissions: { [name]: word },
    })
  ).permissions;

/** Say whether a call that waits may be carried out. */
export const answerApproval = (id: string, answer: ApprovalAnswer) =>
  ask("POST", `/api/tools/approvals/${encodeURIComponent(id)}`, { answer });

export type ToolCall = components["schemas"]["CallEntry"];
export type CallPage = components["schemas"]["CallList"];

/** What tools were called, the newest first, before a number; of one chat, or of all. */
export function toolCalls(
  chat: string | null,
  before: number | null,
  signal?: AbortSignal,
): Promise<CallPage> {
  const query = new URLSearchParams({ limit: "30" });
  if (chat !== null) query.set("session_id", chat);
  if (before !== null) query.set("before", String(before));
  return ask<CallPage>("GET", `/api/tools/calls?${query}`, undefined, signal);
}

const PLACE = "/api/tools/file";

/** A file that the tools of a session work on; `path` is where it lies in there. */
export type SessionFile = components["schemas"]["SessionFile"];

/** Where a file of a chat's tools is asked for. */
const at = (chat: string, path: string) => `${PLACE}?${new URLSearchParams({ session_id: chat, path })}`;

/** A file in the place of this chat, as one that a tool made there is told. */
export const fileOf = (chat: string, file: SessionFile): ToolFile => ({ ...file, url: at(chat, file.path) });

export const sessionFiles = (chat: string) =>
  queryOptions({
    queryKey: ["api", "tools", "files", chat],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ session_id: chat });
      type Told = components["schemas"]["SessionFileList"];
      return (await ask<Told>("GET", `/api/tools/files?${query}`, undefined, signal)).data;
    },
  });

export const workFiles = {
  /** Put a file there, in the place of one with its name. */
  put: async (chat: string, file: File): Promise<void> => {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await send(new URL(at(chat, file.name), location.origin).href, {
      method: "PUT",
      headers,
      body: file,
    });
    if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  },
  remove: (chat: string, path: string) => ask("DELETE", at(chat, path)),
};

async function content({ url, path }: ToolFile): Promise<Blob> {
  const place = new URL(url ?? "", location.origin);
  if (place.origin !== location.origin || place.pathname !== PLACE) throw new Error(path);
  const response = await send(place.href);
  if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  return await response.blob();
}

/** A file that a tool made, as an address that this page may show. One that lies elsewhere is not asked for. */
export const toolFile = async (file: ToolFile): Promise<string> => URL.createObjectURL(await content(file));

/** Have the browser save a file that a tool made. */
export const saveToolFile = async (file: ToolFile): Promise<void> =>
  saveFile(file.path.split("/").at(-1) ?? file.path, await content(file));
