import { Card, Progress } from "@/components/ui/pieces";
import { figure, isLive, type Training } from "@/services/training";
import type { Run } from "@/stores/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { figureIn, nameOf } from "./figures";

const SHOWN = ["loss", "eval_loss", "learning_rate", "gradient", "tokens_per_s", "memory_bytes"];

/** How far a training is, and its newest figures. */
export function Gauges({ job, run }: { job: Training; run: Run | undefined }) {
  const t = useWords();
  const a = useAmounts();
  const newest = (name: string) => run?.curves.newest(name) ?? figure(job, name);
  const step = run?.curves.steps.at(-1) ?? figure(job, "step");
  const steps = run?.curves.total || figure(job, "steps");
  const left_s = job.state === "running" ? (run?.curves.left_s() ?? null) : null;
  const took_s = figure(job, "took_s");
  const isTrying = job.state === "running" && !steps;
  const told = [
    step !== null && steps ? t("train.step.of", { step, steps }) : null,
    isTrying ? t("train.trying") : null,
    left_s === null ? null : t("train.left", { time: a.duration(left_s) }),
    took_s === null || isLive(job) ? null : t("train.took", { time: a.duration(took_s) }),
  ];
  return (
    <Card title={t("train.figures")}>
      <Progress label={t("train.progress")} share={steps ? (step ?? 0) / steps : isTrying ? null : 0} />
      <p className="mt-1.5 min-h-6 text-sm text-soft tabular-nums">{told.filter(Boolean).join(" · ")}</p>
      <dl className="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
        {SHOWN.map((name) => {
          const value = newest(name);
          return (
            <div key={name}>
              <dt className="text-sm text-soft">{nameOf(t, name)}</dt>
              <dd className="font-semibold tabular-nums" data-figure={name}>
                {value === null ? "–" : figureIn(a, name)(value)}
              </dd>
            </div>
          );
        })}
      </dl>
    </Card>
  );
}
