import { queryOptions } from "@tanstack/react-query";
import { ask, refusal, send } from "./api";
import type { ToolFile } from "./chat-shapes";
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
  /** Why it cannot be used here, and what helps; "" where it can. */
  why_off: string;
}

export const serverTools = queryOptions({
  queryKey: ["api", "tools"],
  queryFn: async ({ signal }): Promise<Tool[]> =>
    (await ask<{ data: Tool[] }>("GET", "/api/tools", undefined, signal)).data,
  staleTime: 60_000,
});

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
