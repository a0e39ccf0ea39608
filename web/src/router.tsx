import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { Lost } from "./components/shell/lost";
import { Shell } from "./components/shell/shell";
import { chatting } from "./early";
import { type Area, prepareWords } from "./words";

const root = createRootRoute({ component: Shell, notFoundComponent: Lost });

const chats = createRoute({
  getParentRoute: () => root,
  id: "chats",
  component: lazyRouteComponent(chatting, "ChatRoute"),
});
// Both are shown by what is above them: a chat that begins here is not drawn anew when it gets its address.
const chat = createRoute({ getParentRoute: () => chats, path: "/" });
const thread = createRoute({ getParentRoute: () => chats, path: "/chat/$id" });

/** The recording that is looked at. */
function openedIn({ id }: Record<string, unknown>): { id?: string } {
  return typeof id === "string" ? { id } : {};
}

/** The trainings that are laid side by side, between commas. */
function comparedIn({ compare }: Record<string, unknown>): { compare?: string } {
  return typeof compare === "string" ? { compare } : {};
}

/** The passage that is looked at. */
function citedIn({ passage }: Record<string, unknown>): { passage?: string } {
  const number = typeof passage === "number" ? String(passage) : passage;
  return typeof number === "string" ? { passage: number } : {};
}

/** What a new one is made of: the training whose options it takes, or what is exported. */
function madeOf({ from }: Record<string, unknown>): { from?: string } {
  return typeof from === "string" ? { from } : {};
}

/** A page with the sentences of its area, both loaded when it is gone to. */
function place<M extends Record<N, ComponentType>, N extends string>(
  area: Area,
  load: () => Promise<M>,
  name: N,
) {
  const both = () => Promise.all([load(), prepareWords(area)]).then(([module]) => ({ shown: module[name] }));
  return lazyRouteComponent(both, "shown");
}

// biome-ignore format: one line a route
const rest = [
  createRoute({ getParentRoute: () => root, path: "/models", component: place("models", () => import("./routes/models"), "ModelsRoute") }),
  createRoute({ getParentRoute: () => root, path: "/training", validateSearch: comparedIn, component: place("training", () => import("./routes/training"), "TrainingRoute") }),
  createRoute({ getParentRoute: () => root, path: "/training/new", validateSearch: madeOf, component: place("training", () => import("./routes/training-new"), "TrainingNewRoute") }),
  createRoute({ getParentRoute: () => root, path: "/training/$id", component: place("training", () => import("./routes/training-one"), "TrainingOneRoute") }),
  createRoute({ getParentRoute: () => root, path: "/exports", component: place("exports", () => import("./routes/exports"), "ExportsRoute") }),
  createRoute({ getParentRoute: () => root, path: "/exports/new", validateSearch: madeOf, component: place("exports", () => import("./routes/exports-new"), "ExportNewRoute") }),
  createRoute({ getParentRoute: () => root, path: "/exports/$id", component: place("exports", () => import("./routes/exports-one"), "ExportOneRoute") }),
  createRoute({ getParentRoute: () => root, path: "/evaluations", component: place("evaluations", () => import("./routes/evaluations"), "EvaluationsRoute") }),
  createRoute({ getParentRoute: () => root, path: "/evaluations/$id", component: place("evaluations", () => import("./routes/evaluations-one"), "EvaluationOneRoute") }),
  createRoute({ getParentRoute: () => root, path: "/knowledge", component: place("knowledge", () => import("./routes/knowledge"), "KnowledgeRoute") }),
  createRoute({ getParentRoute: () => root, path: "/knowledge/$id", validateSearch: citedIn, component: place("knowledge", () => import("./routes/knowledge-one"), "KnowledgeOneRoute") }),
  createRoute({ getParentRoute: () => root, path: "/playground", component: place("api", () => import("./routes/playground"), "PlaygroundRoute") }),
  createRoute({ getParentRoute: () => root, path: "/requests", validateSearch: openedIn, component: place("api", () => import("./routes/requests"), "RequestsRoute") }),
  createRoute({ getParentRoute: () => root, path: "/keys", component: place("api", () => import("./routes/keys"), "KeysRoute") }),
  createRoute({ getParentRoute: () => root, path: "/connect", component: place("api", () => import("./routes/connect"), "ConnectRoute") }),
  createRoute({ getParentRoute: () => root, path: "/tool-servers", component: place("api", () => import("./routes/toolservers"), "ToolServersRoute") }),
  createRoute({ getParentRoute: () => root, path: "/engines", component: place("engines", () => import("./routes/engines"), "EnginesRoute") }),
  createRoute({ getParentRoute: () => root, path: "/system", component: place("engines", () => import("./routes/system"), "SystemRoute") }),
  createRoute({ getParentRoute: () => root, path: "/settings", component: place("engines", () => import("./routes/settings"), "SettingsRoute") }),
  createRoute({ getParentRoute: () => root, path: "/users", component: place("engines", () => import("./routes/users"), "UsersRoute") }),
  createRoute({ getParentRoute: () => root, path: "/welcome", component: place("engines", () => import("./routes/welcome"), "WelcomeRoute") }),
];

export const router = createRouter({
  routeTree: root.addChildren([chats.addChildren([chat, thread]), ...rest]),
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
