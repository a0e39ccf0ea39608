import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Who = Schemas["Who"];
export type Right = Who["rights"][number];
export type SignedIn = Schemas["SignedIn"];
export type User = Schemas["User"];
export type AuditEntry = Schemas["AuditEntry"];

/** Who asks, and what that one may do. */
export const whoAsks = queryOptions({
  queryKey: ["api", "session"],
  queryFn: ({ signal }) => ask<Who>("GET", "/api/session", undefined, signal),
  staleTime: 30_000,
});

export const places = queryOptions({
  queryKey: ["api", "session", "places"],
  queryFn: ({ signal }) => ask<Schemas["Places"]>("GET", "/api/session/places", undefined, signal),
});

export const session = {
  signIn: (name: string, password: string) => ask<Who>("POST", "/api/session", { name, password }),
  signOut: () => ask<Who>("DELETE", "/api/session"),
  /** Whose password a link is for. */
  linked: (token: string) => ask<Schemas["LinkFor"]>("POST", "/api/session/link", { token }),
  choose: (token: string, password: string) =>
    ask<Schemas["LinkFor"]>("POST", "/api/session/link", { token, password }),
  changePassword: (password: string, next: string) =>
    ask<Who>("PUT", "/api/session/password", { password, new: next }),
  leave: (id: string) => ask<Schemas["Places"]>("DELETE", `/api/session/places/${encodeURIComponent(id)}`),
};

export const userList = queryOptions({
  queryKey: ["api", "users"],
  queryFn: ({ signal }) => ask<Schemas["UserList"]>("GET", "/api/users", undefined, signal),
});

const at = (name: string) => `/api/users/${encodeURIComponent(name)}`;

export const users = {
  create: (name: string, role: User["role"]) =>
    ask<Schemas["UserLink"]>("POST", "/api/users", { name, role }),
  change: (name: string, changes: Partial<Schemas["UserPatch"]>) => ask<User>("PATCH", at(name), changes),
  link: (name: string) => ask<Schemas["UserLink"]>("POST", `${at(name)}/link`),
  remove: (name: string) => ask<unknown>("DELETE", at(name)),
};

export const audit = queryOptions({
  queryKey: ["api", "audit"],
  queryFn: ({ signal }) => ask<Schemas["AuditPage"]>("GET", "/api/audit", undefined, signal),
});
