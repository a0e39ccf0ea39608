import type { Setting, SettingValue } from "@/services/settings";
import type { Translate } from "@/words";
import type { Amounts } from "@/words/amounts";

/** A value as it is read: sizes and times with their unit, switches in words. */
export function shownValue(name: string, value: SettingValue, t: Translate, a: Amounts): string {
  if (typeof value === "boolean") return t(value ? "settings.on" : "settings.off");
  if (value === "") return t("settings.empty");
  if (typeof value === "string") return value;
  if (name.endsWith("_bytes") && value > 0) return a.bytes(value);
  if (name.endsWith("_s") && value > 0) return a.duration(value);
  // A port is a name, not a count.
  return name === "port" ? String(value) : a.number(value, 3);
}

/** What was typed as the setting's own type; null where it is no number. The server judges the rest. */
export function typed(kind: Setting["kind"], text: string): SettingValue | null {
  if (kind === "text" || kind === "choice") return text;
  if (kind === "switch") return text === "true";
  const number = Number(text.trim().replace(",", "."));
  return text.trim() === "" || !Number.isFinite(number) ? null : number;
}

/** What a setting is now and will be after the next start are two things. */
export function isPending({ value, next_value }: Setting): boolean {
  return value !== next_value;
}
