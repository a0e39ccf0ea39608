import { useEffect, useMemo, useState } from "react";
import type { Setting } from "@/services/settings";
import { usePreferences } from "@/stores/preferences";
import { pseudo } from "@/words/pseudo";

type Help = Readonly<Record<string, string>>;

/** Settings with their help in the reader's language; the server's own English stands in until it is here. */
export function useHelp(settings: Setting[]): Setting[] {
  const language = usePreferences((state) => state.language);
  const [german, setGerman] = useState<Help>({});
  useEffect(() => {
    if (language !== "de") return;
    void import("@/words/de/settings-help").then(
      ({ help }) => setGerman(help),
      () => undefined,
    );
  }, [language]);
  return useMemo(() => {
    const own = Object.fromEntries(settings.map(({ name, help }) => [name, help]));
    const told: Help = language === "de" ? german : language === "xx" ? pseudo(own) : own;
    return settings.map((one) => ({ ...one, help: told[one.name] ?? one.help }));
  }, [settings, language, german]);
}
