import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { LINK, StateBadge } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { Fault } from "@/components/ui/pieces";
import { changeEvaluation, type Evaluation, evaluations, scoreOf } from "@/services/evaluations";
import { canResume, figure, isLive } from "@/services/jobs";
import { tellFailure } from "@/stores/notices";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Beside } from "./beside";
import { FailedTries } from "./failed";
import { RemoveEvaluation } from "./remove";

interface RowsProps {
  label: string;
  jobs: Evaluation[];
  /** Those that one may be compared with. */
  all: Evaluation[];
  /** Whether each says of which model it is. */
  isMixed?: boolean;
}

/** Evaluations, each with what was found or how far it is, and what can be done with it. */
export function EvaluationRows({ label, jobs, all, isMixed = false }: RowsProps) {
  return (
    <ul aria-label={label} className="divide-y divide-line">
      {jobs.map((job) => (
        <Row key={job.id} job={job} others={all.filter((one) => isLike(one, job))} isMixed={isMixed} />
      ))}
    </ul>
  );
}

/** Whether another evaluation tried the same, to its end. */
const isLike = (one: Evaluation, job: Evaluation) =>
  one.id !== job.id &&
  one.state === "done" &&
  one.spec.suite !== "vote" &&
  one.spec.suite === job.spec.suite &&
  one.spec.set_digest === job.spec.set_digest;

type RowProps = { job: Evaluation; others: Evaluation[]; isMixed: boolean };

function Row({ job, others, isMixed }: RowProps) {
  const t = useWords();
  const a = useAmounts();
  const [shown, setShown] = useState<"failed" | "beside" | null>(null);
  const [isRemoving, setRemoving] = useState(false);
  const toggle = (name: "failed" | "beside") => (
    <Button
      aria-expanded={shown === name}
      aria-label={t(`evaluation.${name}.one`, { name: job.name })}
      onClick={() => setShown(shown === name ? null : name)}
    >
      {t(`evaluation.${name}.show`)}
    </Button>
  );
  const isVote = job.vote !== null;
  return (
    <li className="flex flex-col gap-2 py-3">
      <div className="flex flex-wrap items-center gap-2">
        <div className="min-w-0 flex-1 basis-64">
          <p className="flex flex-wrap items-center gap-2">
            <span className="min-w-0 font-medium break-words">{job.name}</span>
            <StateBadge job={job} />
          </p>
          <p className="text-sm break-words text-soft tabular-nums">
            {isMixed || isVote ? `${modelsOf(job)} · ` : ""}
            <Standing job={job} /> · {a.moment(job.created_s)}
          </p>
        </div>
        <Changes job={job} />
        {isVote ? (
          <Link
            to="/evaluations/$id"
            params={{ id: job.id }}
            aria-label={t(`${voteDeed(job)}.one` as Key, { name: job.name })}
            className={LINK}
          >
            {t(voteDeed(job))}
          </Link>
        ) : null}
        {isLive(job) || isVote ? null : toggle("failed")}
        {job.state === "done" && others.length > 0 ? toggle("beside") : null}
        {isLive(job) ? null : (
          <Button
            kind="danger"
            aria-label={t("train.remove.one", { name: job.name })}
            onClick={() => setRemoving(true)}
          >
            {t("train.remove")}
          </Button>
        )}
      </div>
      {job.error ? <Fault error={job.error.message} /> : null}
      {shown === "failed" ? <FailedTries id={job.id} /> : null}
      {shown === "beside" ? <Beside job={job} others={others} /> : null}
      {isRemoving ? <RemoveEvaluation job={job} onClose={() => setRemoving(false)} /> : null}
    </li>
  );
}

/** The names of the models that are asked. */
export const modelsOf = ({ spec }: Evaluation): string =>
  [spec.model, spec.against].filter(Boolean).join(" / ");

const voteDeed = (job: Evaluation) =>
  job.vote && job.vote.shown_s === null
    ? ("evaluation.vote.show" as const)
    : ("evaluation.voted.show" as const);

/** Cancelling one that runs, and going on with one that does not. */
export function Changes({ job }: { job: Evaluation }) {
  const t = useWords();
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (deed: "cancel" | "resume") => changeEvaluation(job.id, deed),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey }),
  });
  const name = isLive(job) ? "cancel" : "resume";
  const isOver = job.vote !== null && job.vote.shown_s !== null;
  if (!isLive(job) && (isOver || !canResume(job))) return null;
  return (
    <Button
      aria-label={t(`train.${name}.one`, { name: job.name })}
      disabled={change.isPending}
      onClick={() => change.mutate(name)}
    >
      {t(`train.${name}`)}
    </Button>
  );
}

/** What passed with its interval, or how far it is. */
function Standing({ job }: { job: Evaluation }) {
  const t = useWords();
  const a = useAmounts();
  const score = scoreOf(job);
  if (job.vote && job.state === "done") {
    return t("evaluation.voted", { voted: job.vote.voted, of: job.vote.of });
  }
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
