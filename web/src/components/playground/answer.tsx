import { useState } from "react";
import { Pairs } from "@/components/requests/pairs";
import { Badge, Card, CopyButton, Empty, Fault } from "@/components/ui/pieces";
import { pretty } from "@/services/json";
import type { Answer } from "@/stores/playground";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Said } from "./said";
import { Tabs } from "./tabs";

const SHOWN_MOST = 400;
// A rate over less time says nothing.
const RATED_MS = 1_000;

type View = "said" | "events" | "headers";

/** An answer: its status and times, what it says, its events as they came, its headers. */
export function AnswerCard({ answer }: { answer: Answer | null }) {
  const t = useWords();
  const [view, setView] = useState<View>("said");
  if (!answer) return <Empty>{t("play.answer.none")}</Empty>;
  const whole = answer.arrived.map(({ data }) => data).join("\n\n");
  return (
    <Card title={t("play.answer")} actions={<CopyButton label={t("play.answer.copy")} text={() => whole} />}>
      <div className="flex flex-col gap-4">
        <Standing answer={answer} />
        {answer.failure ? <Fault error={answer.failure} /> : null}
        <Tabs
          label={t("play.answer")}
          value={view}
          onChange={setView}
          tabs={[
            { name: "said", label: t("play.view.said"), content: <What answer={answer} /> },
            { name: "events", label: t("play.view.events"), content: <Events answer={answer} /> },
            { name: "headers", label: t("play.view.headers"), content: <Headers answer={answer} /> },
          ]}
        />
      </div>
    </Card>
  );
}

function Standing({ answer: { head, arrived, state } }: { answer: Answer }) {
  const t = useWords();
  const amounts = useAmounts();
  const last = arrived.at(-1)?.at_ms ?? head?.status_ms ?? 0;
  const first = arrived[0]?.at_ms ?? 0;
  const rate = last - first >= RATED_MS ? ((arrived.length - 1) * 1000) / (last - first) : 0;
  const states = {
    open: t("play.state.open"),
    ended: t(head && head.status >= 300 ? "play.state.refused" : "play.state.ended"),
    stopped: t("play.state.stopped"),
    failed: t("play.state.failed"),
  };
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm">
      {head ? (
        <Badge tone={head.status < 300 ? "good" : "bad"}>
          {t("play.status", { status: String(head.status) })}
        </Badge>
      ) : null}
      <span role="status" className={state === "open" ? "animate-pulse" : ""}>
        {states[state]}
      </span>
      {arrived.length > 0 ? (
        <span className="text-soft">
          {arrived.length > 1
            ? t("play.times", {
                first: amounts.duration(first / 1000),
                last: amounts.duration(last / 1000),
                n: arrived.length,
              })
            : t("play.time", { last: amounts.duration(last / 1000) })}
          {rate > 0 ? ` · ${t("play.rate", { rate: amounts.number(rate) })}` : ""}
        </span>
      ) : null}
    </div>
  );
}

function What({ answer: { said, head, arrived, state } }: { answer: Answer }) {
  const t = useWords();
  const isRefused = head !== null && head.status >= 300;
  if (isRefused)
    return (
      <div className="flex flex-col gap-3">
        <Said pieces={said} />
        <pre className="overflow-x-auto rounded-lg bg-sunken p-3 font-mono text-[0.8125rem] break-words whitespace-pre-wrap">
          {arrived.map(({ data }) => pretty(data)).join("\n")}
        </pre>
      </div>
    );
  if (said.length === 0 && state !== "open") return <p className="text-soft">{t("play.answer.empty")}</p>;
  return <Said pieces={said} />;
}

function Events({ answer: { arrived } }: { answer: Answer }) {
  const t = useWords();
  const amounts = useAmounts();
  const hidden = Math.max(0, arrived.length - SHOWN_MOST);
  return (
    <div className="flex flex-col gap-2">
      <p className="text-xs text-soft">{t("play.events.hint")}</p>
      {hidden > 0 ? <p className="text-xs text-soft">{t("play.events.hidden", { n: hidden })}</p> : null}
      <section
        aria-label={t("play.view.events")}
        tabIndex={0}
        className="max-h-[32rem] overflow-y-auto rounded-lg border border-line"
      >
        <ol className="divide-y divide-line font-mono text-[0.8125rem]">
          {arrived.slice(hidden).map(({ at_ms, event, data }, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: events are only added at the end
            <li key={hidden + place} className="flex gap-3 px-3 py-1.5">
              <span className="w-20 shrink-0 text-end text-soft">{amounts.duration(at_ms / 1000)}</span>
              <span className="min-w-0 flex-1 break-words whitespace-pre-wrap">
                {event === "message" || event === "body" ? null : <b className="font-semibold">{event} </b>}
                {event === "body" ? pretty(data) : data}
              </span>
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}

function Headers({ answer: { head } }: { answer: Answer }) {
  const t = useWords();
  const headers = head?.headers ?? [];
  const own = headers.filter(([name]) => name.startsWith("x-paddock-"));
  const rest = headers.filter(([name]) => !name.startsWith("x-paddock-"));
  return (
    <div className="flex flex-col gap-3">
      {own.length === 0 ? <p className="text-sm text-soft">{t("play.headers.none")}</p> : null}
      <Pairs pairs={[...own, ...rest]} />
    </div>
  );
}
