import { memo } from "react";
import { EventLog, valuesOf } from "@/components/training/event-log";
import type { JobEvent } from "@/services/jobs";
import type { Run } from "@/stores/exports";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { stepIn, verdictIn } from "./verdict";

const SENTENCES: Record<string, Key> = {
  started: "export.told.started",
  step: "export.told.step",
  artifact: "export.told.artifact",
  certificate: "export.told.certificate",
  done: "export.told.done",
  stopped: "export.told.stopped",
  cancelled: "export.told.cancelled",
  failed: "export.told.failed",
};

/** What the worker told. */
export const Told = memo(function Told({ events }: Pick<Run, "events">) {
  const t = useWords();
  const a = useAmounts();
  const said = (event: JobEvent) => {
    if (event.kind === "progress") return String(event.progress);
    const key = SENTENCES[event.kind];
    if (!key) return JSON.stringify(event);
    const values = valuesOf(event, a);
    const doing = stepIn(t, String(event.doing));
    return t(key, { ...values, doing, verdict: verdictIn(t, String(event.verdict)) });
  };
  return <EventLog events={events} said={said} />;
});
