import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

/** A server of tools as `GET /api/mcp` tells it. */
export type ToolServer = components["schemas"]["ToolServer"];
export type WantedServer = Partial<components["schemas"]["ToolServerRequest"]> & { name: string };

/** How often one that is being begun is looked at again. */
const EVERY_MS = 2_000;

export const toolServers = queryOptions({
  queryKey: ["api", "mcp"],
  queryFn: async ({ signal }): Promise<ToolServer[]> =>
    (await ask<{ data: ToolServer[] }>("GET", "/api/mcp", undefined, signal)).data,
  refetchInterval: ({ state }) => (state.data?.some((one) => one.state === "starting") ? EVERY_MS : false),
});

export const addServer = (wanted: WantedServer) => ask<ToolServer>("POST", "/api/mcp", wanted);

export const importServers = (text: string, inputs: Record<string, string>) =>
  ask<components["schemas"]["ToolServersFound"]>("POST", "/api/mcp/import", { text, inputs });

export const turnServer = (name: string, isOn: boolean) =>
  ask<ToolServer>("POST", `/api/mcp/${encodeURIComponent(name)}/${isOn ? "enable" : "disable"}`, {});

export const removeServer = (name: string) => ask("DELETE", `/api/mcp/${encodeURIComponent(name)}`);

/** Lines such as `NAME=VALUE`, as what they name. */
export function pairsIn(text: string): Record<string, string> {
  const pairs = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line): [string, string] => {
      const at = line.search(/[=:]/);
      return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
  return Object.fromEntries(pairs);
}
