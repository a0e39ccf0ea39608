import { memo } from "react";
import { Badge, Card, CopyButton } from "@/components/ui/pieces";
import type { Training, TrainingEvent } from "@/services/training";
import type { Run } from "@/stores/training";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { EventLog, valuesOf } from "./event-log";

/** What the model of the dry run answered: that it can be written, loaded and asked. */
export function Tried({ job }: { job: Training }) {
  const t = useWords();
  const answer = job.figures.answer;
  if (typeof answer !== "string") return null;
  return (
    <Card title={t("train.tried")}>
      <p className="mb-2 text-sm text-soft">{t("train.tried.about")}</p>
      <p className="rounded-lg bg-sunken p-3 whitespace-pre-wrap break-words">{answer}</p>
    </Card>
  );
}

/** What was made, and where it lies; what was made anew stands once. */
export const Artifacts = memo(function Artifacts({ events }: Pick<Run, "events">) {
  const t = useWords();
  const a = useAmounts();
  const made = new Map(
    events.filter(({ kind }) => kind === "artifact").map((event) => [String(event.path), event]),
  );
  if (made.size === 0) return null;
  return (
    <Card title={t("train.artifacts")}>
      <ul className="-my-2 divide-y divide-line">
        {[...made].map(([path, { name, size_bytes }]) => (
          <li key={path} className="flex flex-wrap items-center gap-x-3 py-2 text-sm">
            <span className="font-medium">{String(name)}</span>
            <code className="min-w-0 flex-1 font-mono break-all text-soft">{path}</code>
            <span className="tabular-nums">{a.bytes(Number(size_bytes) || 0)}</span>
            <CopyButton text={path} label={t("train.artifacts.copy", { path })} />
          </li>
        ))}
      </ul>
    </Card>
  );
});

const SENTENCES: Record<string, Key> = {
  started: "train.told.started",
  model: "train.told.model",
  data: "train.told.data",
  begins: "train.told.begins",
  eval: "train.told.eval",
  checkpoint: "train.told.checkpoint",
  artifact: "train.told.artifact",
  sample: "train.told.sample",
  room_waits: "train.told.room_waits",
  room_made: "train.told.room_made",
  room_back: "train.told.room_back",
  tracked: "train.told.tracked",
  tracker_failed: "train.told.tracker_failed",
  tried: "train.told.tried",
  done: "train.told.done",
  stopped: "train.told.stopped",
  cancelled: "train.told.cancelled",
  failed: "train.told.failed",
};

/** What the worker told beside its figures, the newest first. */
export const Told = memo(function Told({ events }: Pick<Run, "events">) {
  const t = useWords();
  const a = useAmounts();
  const said = (event: TrainingEvent) => {
    const isDry = event.kind === "dry_run";
    const key = SENTENCES[isDry ? String(event.of) : event.kind];
    return key ? t(key, valuesOf(event, a)) : JSON.stringify(event);
  };
  const mark = ({ kind }: TrainingEvent) => (kind === "dry_run" ? <Badge>{t("train.dry")}</Badge> : null);
  return <EventLog events={events} said={said} mark={mark} />;
});
