import { memo } from "react";
import { Badge, Card, CopyButton } from "@/components/ui/pieces";
import type { Training, TrainingEvent } from "@/services/training";
import { EVENTS_MOST, type Run } from "@/stores/training";
import { type Key, useWords, type Values } from "@/words";
import { type Amounts, useAmounts } from "@/words/amounts";
import { figureIn } from "./figures";

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

/** The figures of an event as its sentence shows them. */
function valuesOf(event: TrainingEvent, a: Amounts): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === "number") {
      values[name] = name.endsWith("_s") ? a.duration(value) : figureIn(a, name)(value);
    } else if (name === "models" && Array.isArray(value)) values[name] = value.join(", ") || "–";
    else values[name] = typeof value === "string" ? value : JSON.stringify(value);
  }
  const error = event.error as { message?: string } | undefined;
  return error?.message ? { ...values, message: error.message } : values;
}

/** What the worker told beside its figures, the newest first. */
export const Told = memo(function Told({ events }: Pick<Run, "events">) {
  const t = useWords();
  const a = useAmounts();
  const said = (event: TrainingEvent) => {
    const isDry = event.kind === "dry_run";
    const key = SENTENCES[isDry ? String(event.of) : event.kind];
    return key ? t(key, valuesOf(event, a)) : JSON.stringify(event);
  };
  return (
    <Card title={t("train.told")}>
      {events.length === 0 ? <p className="text-soft">{t("train.told.none")}</p> : null}
      <section aria-label={t("train.told")} tabIndex={0} className="max-h-96 overflow-y-auto">
        <ol className="flex flex-col gap-1.5 text-sm">
          {events.toReversed().map((event) => (
            <li key={event.number} className="flex flex-wrap items-baseline gap-x-3">
              <time
                dateTime={new Date(event.at_s * 1000).toISOString()}
                className="text-soft tabular-nums"
                title={a.moment(event.at_s)}
              >
                {new Date(event.at_s * 1000).toTimeString().slice(0, 8)}
              </time>
              {event.kind === "dry_run" ? <Badge>{t("train.dry")}</Badge> : null}
              <span className="min-w-0 flex-[1_1_16rem] break-words whitespace-pre-wrap">{said(event)}</span>
            </li>
          ))}
        </ol>
        {events.length < EVENTS_MOST ? null : (
          <p className="pt-1.5 text-sm text-soft">{t("train.told.some", { n: events.length })}</p>
        )}
      </section>
    </Card>
  );
});
