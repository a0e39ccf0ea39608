import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Card, Progress } from "@/components/ui/pieces";
import { isGoing, type Job } from "@/services/engines";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { useOrder } from "./orders";

const TITLES: Record<Job["do"], Key> = {
  look: "job.look",
  install: "job.install",
  use: "job.use",
  remove: "job.remove",
};
const TONES = {
  running: "plain",
  cancelling: "plain",
  done: "good",
  failed: "bad",
  cancelled: "warn",
} as const;

/** The work on builds that goes on or went on last: how far it is, what it says, its cancel. */
export function JobCard({ job, active }: { job: Job; active: string }) {
  const t = useWords();
  const a = useAmounts();
  const give = useOrder();
  const name = job.result?.build ?? job.build ?? "";
  return (
    <Card
      title={`${t(TITLES[job.do])}${name ? `: ${name}` : ""}`}
      actions={
        <>
          <Badge tone={TONES[job.state]}>{t(`job.${job.state}`)}</Badge>
          {job.state === "running" ? (
            <Button onClick={() => give.mutate({ do: "job/cancel" })}>{t("act.cancel")}</Button>
          ) : null}
        </>
      }
    >
      <div className="flex flex-col gap-3">
        {isGoing(job) ? <How job={job} /> : null}
        {job.error ? (
          <p
            role="alert"
            className="rounded-xl border border-danger px-3 py-2 text-sm break-words text-danger"
          >
            {job.error.message}
          </p>
        ) : null}
        {job.state === "failed" || job.state === "cancelled" ? (
          <p className="text-sm text-soft">
            {t("job.stays", { active })} {job.state === "cancelled" ? t("job.kept") : ""}
          </p>
        ) : null}
        {job.error?.kind === "CanaryFailed" ? <Anyway job={job} /> : null}
        {job.lines.length > 0 ? <Said lines={job.lines} /> : null}
        {job.ended_s === null ? null : (
          <p className="text-xs text-soft">
            {t("job.took", { time: a.duration(job.ended_s - job.begun_s) })}
          </p>
        )}
      </div>
    </Card>
  );
}

/** A bar with what came, how fast, and how long it will take; where nobody counts, the bar only says that it goes on. */
export function How({ job }: { job: Job }) {
  const t = useWords();
  const a = useAmounts();
  const { done, total, unit, per_s, seconds_left } = job;
  const isCounted = done !== null && total !== null && total > 0;
  const amount = (value: number) => (unit === "bytes" ? a.bytes(value) : `${a.number(value, 0)} %`);
  const told = isCounted
    ? [
        unit === "bytes" ? t("system.of", { used: a.bytes(done), all: a.bytes(total) }) : amount(done),
        per_s === null || unit !== "bytes" ? null : t("job.rate", { rate: a.bytes(per_s) }),
        seconds_left === null ? null : t("job.left", { time: a.duration(seconds_left) }),
      ]
    : [job.lines.at(-1) ?? t("state.loading")];
  return (
    <div>
      <Progress label={t(TITLES[job.do])} share={isCounted ? done / total : null} />
      <p className="mt-1.5 text-sm text-soft tabular-nums">{told.filter(Boolean).join(" · ")}</p>
    </div>
  );
}

function Said({ lines }: { lines: string[] }) {
  const t = useWords();
  const box = useRef<HTMLElement>(null);
  const count = lines.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what moves the box
  useEffect(() => {
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [count]);
  return (
    <section
      ref={box}
      aria-label={t("job.said")}
      tabIndex={0}
      className="max-h-56 overflow-auto rounded-lg border border-line bg-sunken"
    >
      <pre className="p-3 font-mono text-[0.8125rem] leading-relaxed whitespace-pre-wrap">
        {lines.join("\n")}
      </pre>
    </section>
  );
}

/** A build that failed its canary lies here, and is used only if somebody insists. */
function Anyway({ job }: { job: Job }) {
  const t = useWords();
  const give = useOrder();
  const [isAsked, setAsked] = useState(false);
  const build = job.build;
  if (!build || build === "previous") return null;
  return (
    <>
      <Button className="self-start" onClick={() => setAsked(true)}>
        {t("job.anyway")}
      </Button>
      <Dialog
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        title={t("job.anyway.title", { build })}
        about={t("job.anyway.about")}
        foot={
          <>
            <Button onClick={() => setAsked(false)}>{t("act.cancel")}</Button>
            <Button
              kind="danger"
              onClick={() => {
                give.mutate({ do: "use", build, anyway: true });
                setAsked(false);
              }}
            >
              {t("job.anyway")}
            </Button>
          </>
        }
      />
    </>
  );
}
