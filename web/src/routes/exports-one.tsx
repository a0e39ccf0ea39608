import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { Deeds } from "@/components/exports/deeds";
import { Files } from "@/components/exports/files";
import { Into } from "@/components/exports/into";
import { Pushes } from "@/components/exports/pushes";
import { Steps } from "@/components/exports/steps";
import { Told } from "@/components/exports/told";
import { StateBadge } from "@/components/training/deeds";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { type Export, oneExport } from "@/services/exports";
import { isLive } from "@/services/jobs";
import { whoAsks } from "@/services/session";
import { useExportRuns, watchExport } from "@/stores/exports";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

export function ExportOneRoute() {
  const t = useWords();
  const { id } = useParams({ from: "/exports/$id" });
  const { data: job, error, refetch } = useQuery(oneExport(id));
  if (job) return <One key={id} job={job} />;
  return (
    <Page title={t("nav.exports")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function One({ job }: { job: Export }) {
  const t = useWords();
  const a = useAmounts();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { data: who } = useQuery(whoAsks);
  const mayPush = who?.rights.includes("manage") ?? false;
  const run = useExportRuns((all) => all[job.id]);
  const isRunning = isLive(job);
  // One that is gone on with, or verified, is followed anew, behind what is here.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => watchExport(job.id), [job.id, isRunning]);
  const isWhole = run?.isWhole ?? false;
  // biome-ignore lint/correctness/useExhaustiveDependencies: its end is told by its events first
  useEffect(() => {
    if (isWhole) void queries.invalidateQueries({ queryKey: oneExport(job.id).queryKey });
  }, [isWhole]);
  return (
    <Page
      title={job.name}
      about={t("export.begun", { source: String(job.spec.source), moment: a.moment(job.created_s) })}
      actions={<Deeds job={job} mayPush={mayPush} onRemoved={() => navigate({ to: "/exports" })} />}
    >
      <div className="flex flex-wrap items-center gap-2">
        <StateBadge job={job} />
        <code className="font-mono text-sm text-soft">{job.id}</code>
      </div>
      {job.error ? <Fault error={job.error.message} /> : null}
      <Into into={job.figures.into} />
      <Steps job={job} run={run} />
      <Files job={job} />
      <Pushes job={job} mayPush={mayPush} />
      {run ? <Told events={run.events} /> : <Loading />}
    </Page>
  );
}
