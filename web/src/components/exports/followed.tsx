import { useQuery } from "@tanstack/react-query";
import { ScoreBadge } from "@/components/evaluations/score";
import { Badge } from "@/components/ui/pieces";
import { oneEvaluation, scoreOf } from "@/services/evaluations";
import type { Followed as Told } from "@/services/exports";
import { figure, isLive } from "@/services/jobs";
import { useWords } from "@/words";

/** What became of the evaluations of a file: how far they are, the score, or why there is none. */
export function Followed({ told }: { told: Told | null }) {
  const t = useWords();
  if (told === null) return null;
  if (told.refused !== null) {
    return <p className="text-sm break-words text-warn">{t("export.unevaluated", { why: told.refused })}</p>;
  }
  return (
    <ul aria-label={t("export.evaluations")} className="flex flex-wrap items-center gap-2 text-sm">
      {told.jobs.map(([suite, id]) => (
        <li key={id}>
          <Standing model={told.model} suite={suite} id={id} />
        </li>
      ))}
    </ul>
  );
}

function Standing({ model, suite, id }: { model: string; suite: string; id: string }) {
  const t = useWords();
  const { data: job } = useQuery(oneEvaluation(id));
  // One that was removed is told of no more.
  if (!job) return null;
  const score = scoreOf(job);
  if (score) return <ScoreBadge id={model} suite={suite} score={score} />;
  return (
    <Badge tone={job.state === "failed" ? "bad" : "plain"}>
      {isLive(job)
        ? t("evaluation.far", { name: suite, tried: figure(job, "tried") ?? 0, of: figure(job, "of") ?? 0 })
        : t("evaluation.halted", { name: suite, state: t(`train.state.${job.state}`) })}
    </Badge>
  );
}
