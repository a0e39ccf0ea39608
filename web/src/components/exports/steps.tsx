import { Card, Progress } from "@/components/ui/pieces";
import type { Export } from "@/services/exports";
import { figure, isLive, type JobEvent } from "@/services/jobs";
import type { Run } from "@/stores/exports";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { stepIn } from "./verdict";

/** How far an export is: each step that was begun since it was begun, or gone on with, last. */
export function Steps({ job, run }: { job: Export; run: Run | undefined }) {
  const t = useWords();
  const a = useAmounts();
  const begun = newest(run?.events ?? []);
  const last = begun.at(-1);
  const steps = Number(last?.steps ?? figure(job, "steps") ?? 0);
  const now = Number(last?.step ?? figure(job, "step") ?? 0);
  const isDone = job.state === "done";
  const took_s = figure(job, "took_s");
  const progress = run?.events.findLast(({ kind }) => kind === "progress")?.progress ?? job.figures.progress;
  const said = [
    job.state === "queued" ? t("export.waits") : null,
    job.state === "running" && typeof progress === "string" ? progress : null,
    isDone && took_s !== null ? t("export.took", { time: a.duration(took_s) }) : null,
  ];
  return (
    <Card title={t("export.goes")}>
      <Progress
        label={t("export.progress")}
        share={isDone ? 1 : steps ? Math.max(0, now - 1) / steps : isLive(job) ? null : 0}
      />
      <p className="mt-1.5 min-h-6 text-sm break-words text-soft">{said.filter(Boolean).join(" · ")}</p>
      <ol className="mt-1 flex flex-col gap-1 text-sm">
        {begun.map((event) => {
          const isLast = event === last && !isDone;
          return (
            <li key={event.number} className="flex flex-wrap items-baseline gap-x-2">
              <span className="min-w-0 break-words">
                {t("export.step.of", {
                  step: Number(event.step),
                  steps: Number(event.steps),
                  doing: stepIn(t, String(event.doing)),
                })}
              </span>{" "}
              <span className="text-soft">
                {t(
                  isLast
                    ? isLive(job)
                      ? "export.step.is.now"
                      : "export.step.is.halted"
                    : "export.step.is.done",
                )}
              </span>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}

/** The steps since it was begun last: those before are told again, as far as they are whole. */
function newest(events: readonly JobEvent[]): JobEvent[] {
  const steps = events.filter(({ kind }) => kind === "step");
  const first = steps.findLastIndex(({ step }, place) => {
    const before = steps[place - 1];
    return before === undefined || Number(before.step) >= Number(step);
  });
  return steps.slice(Math.max(0, first));
}
