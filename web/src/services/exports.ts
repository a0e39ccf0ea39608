import { queryOptions } from "@tanstack/react-query";
import { ask, key } from "./api";
import { isLive } from "./jobs";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Export = Schemas["Export"];
export type Exports = Schemas["ExportList"];
export type ExportType = Schemas["ExportType"];
export type Estimate = Schemas["ExportEstimate"];
export type Certificate = Schemas["ExportCertificate"];
export type Wish = Omit<Schemas["ExportRequest"], "types"> & { types: string[] };

/** A file that an export made, and what its certificate says of it, where it has one. */
export interface Made {
  kind: string;
  /** By which it is asked for; what is merged, and an adapter as Transformers has it, are folders, and have none. */
  file: string | null;
  path: string;
  size_bytes: number;
  verdict: string | null;
  /** The verdict on each link, in the order of the chain. */
  links: [string, string][];
  followed: Followed | null;
}

/** What became of the evaluations that were to follow: as which model, and their ids by suite; or why there are none. */
export interface Followed {
  model: string;
  jobs: [string, string][];
  refused: string | null;
}

const EVERY_MS = 2000;
const FOLDERS = ["merged", "ADAPTER"];

export const at = (id: string) => `/api/exports/${encodeURIComponent(id)}`;
const fileAt = (id: string, file: string) => `${at(id)}/files/${encodeURIComponent(file)}`;

export const exports = queryOptions({
  queryKey: ["api", "exports"],
  queryFn: ({ signal }) => ask<Exports>("GET", "/api/exports", undefined, signal),
  refetchInterval: ({ state }) => (state.data?.data.some(isLive) ? EVERY_MS : false),
});

export const oneExport = (id: string) =>
  queryOptions({
    queryKey: ["api", "exports", id],
    queryFn: ({ signal }) => ask<Export>("GET", at(id), undefined, signal),
    refetchInterval: ({ state }) => (state.data && isLive(state.data) ? EVERY_MS : false),
  });

/** What an export of a source would make. */
export const estimate = (source: string, base: string) =>
  queryOptions({
    queryKey: ["api", "exports-estimate", source, base],
    queryFn: ({ signal }) => ask<Estimate>("POST", "/api/exports/estimate", { source, base }, signal),
    enabled: source !== "",
    retry: false,
    gcTime: 0,
  });

export const certificate = (id: string, file: string) =>
  queryOptions({
    queryKey: ["api", "exports", id, "certificate", file],
    queryFn: ({ signal }) => ask<Certificate>("GET", `${fileAt(id, file)}/certificate`, undefined, signal),
    retry: false,
  });

export type Deed = "cancel" | "resume" | "verify";
export const startExport = (wish: Wish) => ask<Export>("POST", "/api/exports", wish);
export const changeExport = (id: string, deed: Deed) => ask<Export>("POST", `${at(id)}/${deed}`);
export const removeExport = (id: string) => ask<unknown>("DELETE", at(id));
export const importFile = (id: string, file: string, name: string) =>
  ask<Schemas["ExportImported"]>("POST", `${fileAt(id, file)}/import`, name ? { name } : {});

/** The names of what lies in an export's folder of files. */
export const filesOf = (job: Export) =>
  queryOptions({
    // What is made meanwhile is asked for anew.
    queryKey: [
      "api",
      "exports",
      job.id,
      "files",
      job.state,
      Object.keys(tableOf(job.figures.artifacts)).length,
    ],
    queryFn: async ({ signal }) =>
      (await ask<Schemas["ExportFiles"]>("GET", `${at(job.id)}/files`, undefined, signal)).data.map(
        ({ name }) => name,
      ),
  });

/** Where a browser fetches a file by itself; null in a tab that shows a key, which links do not carry. */
export const addressOf = (id: string, file: string) => (key.get() ? null : fileAt(id, file));

/** Where a browser fetches all files as one archive, as `addressOf`. */
export const archiveOf = (id: string) => (key.get() ? null : `${at(id)}/zip`);

type Table = Record<string, unknown>;
const tableOf = (value: unknown): Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Table) : {};

/** The files of an export, in the order in which they were made. */
export function madeBy(job: Export): Made[] {
  const certificates = tableOf(job.figures.certificates);
  const followed = tableOf(job.figures.evaluations);
  return Object.entries(tableOf(job.figures.artifacts)).map(([kind, told]) => {
    const { path, size_bytes } = tableOf(told);
    const said = tableOf(certificates[kind]);
    const where = String(path ?? "");
    return {
      kind,
      file: FOLDERS.includes(kind) ? null : (where.split(/[\\/]/).at(-1) ?? null),
      path: where,
      size_bytes: Number(size_bytes) || 0,
      verdict: typeof said.verdict === "string" ? said.verdict : null,
      links: Object.entries(tableOf(said.links)).map(([link, verdict]) => [link, String(verdict)]),
      followed: kind in followed ? followedIn(tableOf(followed[kind])) : null,
    };
  });
}

const followedIn = ({ model, jobs, refused }: Table): Followed => ({
  model: String(model ?? ""),
  jobs: Object.entries(tableOf(jobs)).map(([suite, id]) => [suite, String(id)]),
  refused: refused === undefined ? null : String(refused),
});

/** A difference that was found, of a prompt or a text. */
export interface Difference {
  name: string;
  at: number;
  source: string;
  file: string;
}

/** What was told otherwise by the file than by its source, by the link that it is of. */
export function differencesIn({ figures }: Certificate, link: string): Difference[] {
  const found = tableOf(figures[link]).different;
  return (Array.isArray(found) ? found : []).map((one) => {
    const { name, at, source, file } = tableOf(one);
    return { name: String(name), at: Number(at) || 0, source: shown(source), file: shown(file) };
  });
}

/** Sentences about prompts that were found at fault, beside the differences. */
export function faultsIn({ figures }: Certificate, link: string): string[] {
  const told = tableOf(figures[link]);
  return [told.calls_lost, told.greedy_apart].flatMap((one) => (Array.isArray(one) ? one.map(String) : []));
}

/** The figures of a link that are numbers, by their names. */
export function numbersIn({ figures }: Certificate, link: string): [string, number][] {
  const told = tableOf(figures[link]);
  const parts = [told, tableOf(told.distributions), tableOf(told.weights)];
  return parts.flatMap((part) =>
    Object.entries(part).flatMap(([name, value]): [string, number][] =>
      typeof value === "number"
        ? [[name, value]]
        : name === "different" && Array.isArray(value)
          ? [[name, value.length]]
          : [],
    ),
  );
}

const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
