import type { ReactNode } from "react";
import { Card } from "@/components/ui/pieces";
import type { JobEvent } from "@/services/jobs";
import { EVENTS_MOST } from "@/stores/following";
import { useWords, type Values } from "@/words";
import { type Amounts, useAmounts } from "@/words/amounts";
import { figureIn } from "./figures";

interface Props {
  events: JobEvent[];
  said: (event: JobEvent) => string;
  /** What stands before the sentence of an event. */
  mark?: (event: JobEvent) => ReactNode;
}

/** The figures of an event as its sentence shows them. */
export function valuesOf(event: JobEvent, a: Amounts): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === "number") {
      values[name] = name.endsWith("_s") ? a.duration(value) : figureIn(a, name)(value);
    } else if (name === "models" && Array.isArray(value)) values[name] = value.join(", ") || "–";
    else if (name === "faults" && Array.isArray(value)) values[name] = value.join(" ");
    else values[name] = typeof value === "string" ? value : JSON.stringify(value);
  }
  const error = event.error as { message?: string } | undefined;
  return error?.message ? { ...values, message: error.message } : values;
}

/** What a worker told, the newest first. */
export function EventLog({ events, said, mark }: Props) {
  const t = useWords();
  const a = useAmounts();
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
              {mark?.(event)}
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
}
