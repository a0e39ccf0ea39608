import { queryOptions } from "@tanstack/react-query";
import { ask, refusal, send } from "./api";
import type { ToolFile } from "./chat-shapes";

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

/** A file that a tool made, as an address that this page may show. One that lies elsewhere is not asked for. */
export async function toolFile({ url, path }: ToolFile): Promise<string> {
  const place = new URL(url ?? "", location.origin);
  if (place.origin !== location.origin || place.pathname !== PLACE) throw new Error(path);
  const response = await send(place.href);
  if (!response.ok) throw refusal(await response.json().catch(() => null), response.status);
  return URL.createObjectURL(await response.blob());
}
