import { expect, test } from "vitest";
import { groupOf, labelOf, matches } from "@/components/settings/groups";
import { shownValue, typed } from "@/components/settings/value";
import type { Setting } from "@/services/settings";
import type { Translate } from "@/words";
import type { Amounts } from "@/words/amounts";
import { engines } from "@/words/en/engines";

const t: Translate = (key) => (engines as Record<string, string>)[key] ?? key;
const amounts = {
  bytes: (value: number) => `${value / 2 ** 20} MiB`,
  duration: (value: number) => `${value} seconds`,
  number: (value: number) => `${value}.`,
} as Amounts;
const shown = (name: string, value: string | number | boolean) => shownValue(name, value, t, amounts);

test("a value is read with its unit", () => {
  expect(shown("image_most_bytes", 20 * 2 ** 20)).toBe("20 MiB");
  expect(shown("idle_unload_s", 90)).toBe("90 seconds");
  expect(shown("port", 8642)).toBe("8642");
  expect(shown("queue_most", 10000)).toBe("10000.");
  expect(shown("memory_budget_bytes", 0)).toBe("0.");
  expect(shown("record", true)).toBe("On");
  expect(shown("engine", "")).toBe("not set");
});

test("what is typed becomes the setting's own type, or nothing", () => {
  expect(typed("whole", " 4 ")).toBe(4);
  expect(typed("number", "2,5")).toBe(2.5);
  expect(typed("whole", "many")).toBeNull();
  expect(typed("whole", "")).toBeNull();
  expect(typed("number", "Infinity")).toBeNull();
  expect(typed("text", "4")).toBe("4");
  expect(typed("switch", "true")).toBe(true);
});

test("a setting is found by its name, its meaning and its label", () => {
  const setting = { name: "idle_unload_s", help: "Seconds after which a model is unloaded." } as Setting;
  for (const asked of ["idle unload", "IDLE_UNLOAD", "seconds model", "leerlauf", ""])
    expect(matches(setting, "Entladen nach Leerlauf", asked), asked).toBe(true);
  expect(matches(setting, "Entladen nach Leerlauf", "idle port")).toBe(false);
});

test("a setting that the page does not know has a place, and its own name", () => {
  expect([groupOf("colour"), labelOf("colour")]).toEqual(["other", null]);
  expect([groupOf("slots"), labelOf("slots")]).toEqual(["models", "setting.slots"]);
});
