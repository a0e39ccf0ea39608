import { chat } from "./chat";
import { shell } from "./shell";

/** What the first page needs. */
export const words = { ...shell, ...chat };

/** What is loaded with the pages that need it. */
export const later = {
  models: () => import("./models").then(({ models }) => models),
  api: () => import("./api").then(({ api }) => api),
  engines: () => import("./engines").then(({ engines }) => engines),
  training: () => import("./training").then(({ training }) => training),
  transfer: () => import("./transfer").then(({ transfer }) => transfer),
};
