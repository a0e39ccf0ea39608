import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { BallotView } from "@/components/evaluations/ballot";
import { RemoveEvaluation } from "@/components/evaluations/remove";
import { Changes, EvaluationRows, modelsOf } from "@/components/evaluations/row";
import { VoteReport } from "@/components/evaluations/vote-report";
import { StateBadge } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { type Evaluation, evaluations, oneEvaluation } from "@/services/evaluations";
import { saveFile } from "@/services/files";
import { isLive } from "@/services/jobs";
import { votes } from "@/services/votes";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

export function EvaluationOneRoute() {
  const t = useWords();
  const { id } = useParams({ from: "/evaluations/$id" });
  const { data: job, error, refetch } = useQuery(oneEvaluation(id));
  if (job) return job.vote ? <Vote key={id} job={job} /> : <Other job={job} />;
  return (
    <Page title={t("nav.evaluations")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

/** One that is no vote, as it stands among all. */
function Other({ job }: { job: Evaluation }) {
  const t = useWords();
  const { data = [] } = useQuery(evaluations);
  return (
    <Page title={job.name} about={modelsOf(job)}>
      <EvaluationRows label={t("nav.evaluations")} jobs={[job]} all={data} isMixed />
    </Page>
  );
}

function Vote({ job }: { job: Evaluation }) {
  const t = useWords();
  const navigate = useNavigate();
  const whole = useQuery({ ...votes(job.id), enabled: false });
  const isShown = job.vote?.shown_s !== null;
  const [isRemoving, setRemoving] = useState(false);
  const save = async () => {
    const { data, error } = await whole.refetch();
    if (data) saveFile(`${job.name}.json`, `${JSON.stringify(data, null, 2)}\n`);
    else tellFailure(error);
  };
  return (
    <Page
      title={job.name}
      about={t(isShown ? "vote.about.shown" : "vote.about", {
        one: String(job.spec.model),
        other: String(job.spec.against),
      })}
      actions={
        <div className="flex w-full flex-wrap gap-2 sm:w-auto">
          <Changes job={job} />
          <Button onClick={() => void save()}>{t("vote.save")}</Button>
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
      }
    >
      {job.state === "done" ? null : (
        <div>
          <StateBadge job={job} />
        </div>
      )}
      {job.error ? <Fault error={job.error.message} /> : null}
      {isShown ? <VoteReport id={job.id} /> : <BallotView job={job} />}
      {isRemoving ? (
        <RemoveEvaluation
          job={job}
          onClose={() => setRemoving(false)}
          onRemoved={() => navigate({ to: "/evaluations" })}
        />
      ) : null}
    </Page>
  );
}
