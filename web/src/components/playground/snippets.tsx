import { useState } from "react";
import { Snippet } from "@/components/ui/pieces";
import { key } from "@/services/api";
import { DIALECTS } from "@/services/dialects";
import { faultOf } from "@/services/json";
import { snippet, TONGUES, type Tongue } from "@/services/snippets";
import { headersOf, usePlayground } from "@/stores/playground";
import { useWords } from "@/words";
import { Tabs } from "./tabs";

const NAMES: Record<Tongue, string> = { curl: "curl", python: "Python", javascript: "JavaScript" };

/** The request as programs that send the very same. */
export function Snippets() {
  const t = useWords();
  const { dialect, bodies, isRecorded } = usePlayground();
  const [tongue, setTongue] = useState<Tongue>("curl");
  const body = bodies[dialect] ?? "{}";
  if (faultOf(body)) return <p className="text-sm text-soft">{t("play.snippets.wrong")}</p>;
  // The key of this tab is not written where it may be copied on.
  const credentials: Record<string, string> = key.get() ? { Authorization: "Bearer pdk-YOUR-KEY" } : {};
  const headers = { ...headersOf(dialect, isRecorded), ...credentials };
  const asked = { origin: location.origin, path: DIALECTS[dialect].path, body, headers };
  return (
    <Tabs
      label={t("play.snippets")}
      value={tongue}
      onChange={setTongue}
      tabs={TONGUES.map((name) => ({
        name,
        label: NAMES[name],
        content: <Snippet label={NAMES[name]} text={snippet(name, asked)} />,
      }))}
    />
  );
}
