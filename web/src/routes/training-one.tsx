import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { Checkpoints } from "@/components/training/checkpoints";
import { Curve } from "@/components/training/curve";
import { Deeds, StateBadge } from "@/components/training/deeds";
import { Artifacts, Told, Tried } from "@/components/training/events";
import { Gauges } from "@/components/training/gauges";
import { Card, Fault, Loading, Page, Snippet } from "@/components/ui/pieces";
import { figure, isLive, type Training, training } from "@/services/training";
import { useRuns, watchTraining } from "@/stores/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

export function TrainingOneRoute() {
  const t = useWords();
  const { id } = useParams({ from: "/training/$id" });
  const { data: job, error, refetch } = useQuery(training(id));
  if (job) return <One key={id} job={job} />;
  return (
    <Page title={t("nav.training")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function One({ job }: { job: Training }) {
  const t = useWords();
  const a = useAmounts();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const run = useRuns((all) => all[job.id]);
  const isRunning = isLive(job);
  // One that is gone on with is followed anew, behind what is here.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => watchTraining(job.id), [job.id, isRunning]);
  const isWhole = run?.isWhole ?? false;
  // biome-ignore lint/correctness/useExhaustiveDependencies: its end is told by its events first
  useEffect(() => {
    if (isWhole) void queries.invalidateQueries({ queryKey: training(job.id).queryKey });
  }, [isWhole]);
  return (
    <Page
      title={job.name}
      about={t("train.begun", { base: String(job.spec.base), moment: a.moment(job.created_s) })}
      actions={<Deeds job={job} onRemoved={() => navigate({ to: "/training" })} />}
    >
      <div className="flex flex-wrap items-center gap-2">
        <StateBadge job={job} />
        <code className="font-mono text-sm text-soft">{job.id}</code>
      </div>
      {job.error ? <Fault error={job.error.message} /> : null}
      <Gauges job={job} run={run} />
      {run && run.curves.steps.length > 0 ? <Curve curves={run.curves} /> : null}
      <Checkpoints job={job} />
      <Tried job={job} />
      {run ? <Artifacts events={run.events} /> : null}
      {run ? (
        <Told events={run.events} />
      ) : job.state === "running" && figure(job, "events") === null ? (
        <p role="status" className="py-6 text-center text-soft">
          {t("train.starting")}
        </p>
      ) : job.state === "queued" ? null : (
        <Loading />
      )}
      <Card title={t("train.spec")}>
        <Snippet text={job.yaml} label={t("train.spec")} />
      </Card>
    </Page>
  );
}
