import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";

/** A tool that the server runs itself. */
export interface Tool {
  name: string;
  /** Another name by which it is turned on with others; "" for none. */
  group: string;
  description: string;
  /** Why it cannot be used here, and what helps; "" where it can. */
  why_off: string;
}

export const serverTools = queryOptions({
  queryKey: ["api", "tools"],
  queryFn: async ({ signal }): Promise<Tool[]> =>
    (await ask<{ data: Tool[] }>("GET", "/api/tools", undefined, signal)).data,
  staleTime: 60_000,
});
