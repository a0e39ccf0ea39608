import { expect, test } from "vitest";

const SOURCES = Object.entries(
  import.meta.glob<string>("../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true }),
).map(([path, text]) => ({ name: path.replace("../src/", ""), text }));
/** Imports point down this list only. `words` and `stores` know each other: a language is a preference. */
const FLOORS = ["services", "words", "components", "routes"];
const FLOOR_OF: Record<string, number> = Object.fromEntries(FLOORS.map((name, floor) => [name, floor]));
FLOOR_OF.stores = FLOOR_OF.words ?? 0;

test.each(SOURCES.filter(({ name }) => name.includes("/")))(
  "$name imports nothing from above",
  ({ name, text }) => {
    const own = FLOOR_OF[name.split("/")[0] ?? ""] ?? 0;
    for (const [, room] of text.matchAll(/from "@\/(\w+)/g)) {
      expect(FLOOR_OF[room ?? ""], `${name} imports @/${room}`).toBeLessThanOrEqual(own);
    }
  },
);

test.each(SOURCES.filter(({ name }) => name !== "services/schema.d.ts"))(
  "$name has at most 300 lines",
  ({ text }) => {
    expect(text.split("\n").length).toBeLessThanOrEqual(301);
  },
);
