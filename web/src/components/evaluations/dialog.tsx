import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { StateBadge } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Empty, Fault, Loading } from "@/components/ui/pieces";
import {
  changeEvaluation,
  type Evaluation,
  evaluations,
  type Suite,
  scoreOf,
  startEvaluation,
} from "@/services/evaluations";
import { canResume, figure, isLive } from "@/services/jobs";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Beside } from "./beside";
import { FailedTries } from "./failed";

const SUITES: readonly Suite[] = ["pocket", "tools"];

/** The evaluations of a model: begun, watched, cancelled, with what failed, and beside another's. */
export function EvaluationsDialog({
  model: { id },
  onClose,
}: {
  model: { id: string };
  onClose: () => void;
}) {
  const t = useWords();
  const queries = useQueryClient();
  const found = useQuery(evaluations);
  const begin = useMutation({
    mutationFn: (suite: Suite) => startEvaluation(id, suite),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey }),
  });
  const all = found.data ?? [];
  const own = all.filter(({ spec }) => spec.model === id);
  const isBusy = (suite: Suite) => own.some((job) => job.spec.suite === suite && isLive(job));
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("evaluation.all", { id })}
      about={t("evaluation.all.about")}
      foot={SUITES.map((suite) => (
        <Button
          key={suite}
          kind={suite === "tools" ? "strong" : "plain"}
          disabled={begin.isPending || isBusy(suite)}
          onClick={() => begin.mutate(suite)}
        >
          {t(`evaluation.begin.${suite}`)}
        </Button>
      ))}
    >
      {found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : null}
      {found.isPending ? <Loading /> : null}
      {found.data && own.length === 0 ? <Empty>{t("evaluation.all.none")}</Empty> : null}
      <ul aria-label={t("evaluation.all", { id })} className="divide-y divide-line">
        {own.map((job) => (
          <Row key={job.id} job={job} others={all.filter((one) => isLike(one, job))} />
        ))}
      </ul>
    </Dialog>
  );
}

/** Whether another evaluation tried the same, to its end. */
const isLike = (one: Evaluation, job: Evaluation) =>
  one.id !== job.id &&
  one.state === "done" &&
  one.spec.suite === job.spec.suite &&
  one.spec.set_digest === job.spec.set_digest;

function Row({ job, others }: { job: Evaluation; others: Evaluation[] }) {
  const t = useWords();
  const a = useAmounts();
  const queries = useQueryClient();
  const [shown, setShown] = useState<"failed" | "beside" | null>(null);
  const change = useMutation({
    mutationFn: (deed: "cancel" | "resume") => changeEvaluation(job.id, deed),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey }),
  });
  const deed = (name: "cancel" | "resume") => (
    <Button
      aria-label={t(`train.${name}.one`, { name: job.name })}
      disabled={change.isPending}
      onClick={() => change.mutate(name)}
    >
      {t(`train.${name}`)}
    </Button>
  );
  const toggle = (name: "failed" | "beside") => (
    <Button
      aria-expanded={shown === name}
      aria-label={t(`evaluation.${name}.one`, { name: job.name })}
      onClick={() => setShown(shown === name ? null : name)}
    >
      {t(`evaluation.${name}.show`)}
    </Button>
  );
  return (
    <li className="flex flex-col gap-2 py-3">
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="font-medium break-words">{job.name}</h3>
        <StateBadge job={job} />
        <p className="min-w-0 flex-1 basis-64 text-sm text-soft tabular-nums">
          <Standing job={job} /> · {a.moment(job.created_s)}
        </p>
        {isLive(job) ? deed("cancel") : null}
        {canResume(job) ? deed("resume") : null}
        {isLive(job) ? null : toggle("failed")}
        {job.state === "done" && others.length > 0 ? toggle("beside") : null}
      </div>
      {job.error ? <Fault error={job.error.message} /> : null}
      {shown === "failed" ? <FailedTries id={job.id} /> : null}
      {shown === "beside" ? <Beside job={job} others={others} /> : null}
    </li>
  );
}

/** What passed with its interval, or how far it is. */
function Standing({ job }: { job: Evaluation }) {
  const t = useWords();
  const a = useAmounts();
  const score = scoreOf(job);
  return score
    ? t("evaluation.passed", {
        passed: score.passed,
        of: score.of,
        share: a.share(score.share),
        low: a.share(score.low),
        high: a.share(score.high),
      })
    : t("evaluation.tried", { tried: figure(job, "tried") ?? 0, of: figure(job, "of") ?? 0 });
}
