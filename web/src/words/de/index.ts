import { chat } from "./chat";
import { shell } from "./shell";

/** What the first page needs. */
export const words = { ...shell, ...chat };

/** What is loaded with the pages that need it. */
export const later = {
  // Evaluations are told of as trainings are.
  models: () =>
    Promise.all([import("./training"), import("./models")]).then(([{ training }, { models }]) => ({
      ...training,
      ...models,
    })),
  api: () => import("./api").then(({ api }) => api),
  engines: () => import("./engines").then(({ engines }) => engines),
  training: () => import("./training").then(({ training }) => training),
  // Exports are told of as trainings are: what both say stands once.
  exports: () =>
    Promise.all([import("./training"), import("./evaluation"), import("./exports")]).then(
      ([{ training }, { evaluation }, { exports }]) => ({ ...training, ...evaluation, ...exports }),
    ),
  evaluations: () =>
    Promise.all([import("./training"), import("./evaluation"), import("./evaluations")]).then(
      ([{ training }, { evaluation }, { evaluations }]) => ({ ...training, ...evaluation, ...evaluations }),
    ),
  knowledge: () => import("./knowledge").then(({ knowledge }) => knowledge),
  transfer: () => import("./transfer").then(({ transfer }) => transfer),
};
