import { useEffect, useMemo, useState } from "react";
import { usePreferences } from "@/stores/preferences";
import { pseudo } from "./pseudo";

type Help = Readonly<Record<string, string>>;
/** The help in German of what the server describes, loaded when it is looked at. */
const GERMAN = {
  settings: () => import("./de/settings-help"),
  training: () => import("./de/training-help"),
};

/** Settings or options with their help in the reader's language; the server's own English stands in until it is here. */
export function useHelp<T extends { name: string; help: string }>(
  area: keyof typeof GERMAN,
  described: T[],
): T[] {
  const language = usePreferences((state) => state.language);
  const [german, setGerman] = useState<Help>({});
  useEffect(() => {
    if (language !== "de") return;
    void GERMAN[area]().then(
      ({ help }) => setGerman(help),
      () => undefined,
    );
  }, [area, language]);
  return useMemo(() => {
    const own = Object.fromEntries(described.map(({ name, help }) => [name, help]));
    const told: Help = language === "de" ? german : language === "xx" ? pseudo(own) : own;
    return described.map((one) => ({ ...one, help: told[one.name] ?? one.help }));
  }, [described, language, german]);
}
