import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

/** What a client needs to be pointed here. */
export type Client = components["schemas"]["ClientShape"];
export type Clients = components["schemas"]["ClientList"];

export function clients(model: string) {
  const query = model ? `?model=${encodeURIComponent(model)}` : "";
  return queryOptions({
    queryKey: ["api", "clients", model],
    queryFn: ({ signal }) => ask<Clients>("GET", `/api/clients${query}`, undefined, signal),
  });
}

/** Lines for a shell that set the variables. */
export function exportLines(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      const word = /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
      return `export ${name}=${word}`;
    })
    .join("\n");
}
