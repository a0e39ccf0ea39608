import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ChoiceField } from "@/components/ui/field";
import { Badge, Empty } from "@/components/ui/pieces";
import type { Listed, Open } from "@/services/recordings";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

type Outcome = "all" | "answered" | "refused" | "failed";

const outcomeOf = ({ status }: Listed): Outcome =>
  status === 0 || status >= 500 ? "failed" : status >= 400 ? "refused" : "answered";

/** Requests that are being answered; they are listed with the others once they have ended. */
export function OpenList({ open }: { open: Open[] }) {
  const t = useWords();
  return (
    <ul aria-label={t("req.open")} className="divide-y divide-line rounded-2xl border border-line bg-raised">
      {open.map(({ id, path, model }) => (
        <li key={id} className="flex min-h-11 flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
          <span className="animate-pulse text-sm text-accent">{t("play.state.open")}</span>
          <span className="font-mono text-sm">{path}</span>
          <span className="min-w-0 flex-1 truncate text-sm text-soft">{model ?? t("req.model.none")}</span>
        </li>
      ))}
    </ul>
  );
}

/** The recordings, newest first, and what narrows them. */
export function RequestList({ records }: { records: Listed[] }) {
  const t = useWords();
  const [outcome, setOutcome] = useState<Outcome>("all");
  const [model, setModel] = useState("");
  const [path, setPath] = useState("");
  const distinct = (values: string[], all: string) => [
    { value: "", label: all },
    ...[...new Set(values)].sort().map((value) => ({ value, label: value })),
  ];
  const shown = records.filter(
    (record) =>
      (outcome === "all" || outcomeOf(record) === outcome) &&
      (model === "" || record.model === model) &&
      (path === "" || record.path === path),
  );
  const outcomes: Outcome[] = ["all", "answered", "refused", "failed"];
  return (
    <div className="flex flex-col gap-4">
      <div className="grid gap-3 sm:grid-cols-3">
        <ChoiceField
          label={t("req.filter.status")}
          value={outcome}
          choices={outcomes.map((value) => ({ value, label: t(`req.outcome.${value}`) }))}
          onChange={(event) => setOutcome(event.target.value as Outcome)}
        />
        <ChoiceField
          label={t("req.filter.model")}
          value={model}
          choices={distinct(
            records.flatMap((record) => record.model ?? []),
            t("req.filter.models"),
          )}
          onChange={(event) => setModel(event.target.value)}
        />
        <ChoiceField
          label={t("req.filter.path")}
          value={path}
          choices={distinct(
            records.map((record) => record.path),
            t("req.filter.paths"),
          )}
          onChange={(event) => setPath(event.target.value)}
        />
      </div>
      {shown.length === 0 ? <Empty>{t("req.filter.none")}</Empty> : null}
      <ul
        aria-label={t("nav.requests")}
        className="divide-y divide-line rounded-2xl border border-line bg-raised empty:hidden"
      >
        {shown.map((record) => (
          <li key={record.id}>
            <Line record={record} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Line({ record }: { record: Listed }) {
  const t = useWords();
  const amounts = useAmounts();
  return (
    <Link
      to="/requests"
      search={{ id: record.id }}
      className="flex min-h-11 flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2 hover:bg-sunken"
    >
      <Status status={record.status} />
      <span className="font-mono text-sm">{record.path}</span>
      <span className="min-w-0 flex-1 truncate text-sm text-soft">{record.model ?? t("req.model.none")}</span>
      <span className="text-sm text-soft">{amounts.duration((record.times_ms.end ?? 0) / 1000)}</span>
      <span className="text-sm text-soft">{amounts.moment(record.created_s)}</span>
    </Link>
  );
}

export function Status({ status }: { status: number }) {
  const t = useWords();
  if (status === 0) return <Badge tone="bad">{t("req.left")}</Badge>;
  return <Badge tone={status < 400 ? "good" : "bad"}>{status}</Badge>;
}
