import { Link } from "@tanstack/react-router";
import { StateBadge } from "@/components/training/deeds";
import { type Export, madeBy } from "@/services/exports";
import { figure, isLive } from "@/services/jobs";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Deeds } from "./deeds";
import { stepIn, Verdict } from "./verdict";

/** Every export, the newest first, with what became of its files. */
export function ExportList({ jobs }: { jobs: Export[] }) {
  const t = useWords();
  return (
    <ul
      aria-label={t("nav.exports")}
      className="divide-y divide-line rounded-2xl border border-line bg-raised"
    >
      {jobs.map((job) => (
        <li key={job.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
          <div className="min-w-0 flex-1 basis-64">
            <p className="flex flex-wrap items-center gap-2">
              <Link
                to="/exports/$id"
                params={{ id: job.id }}
                className="min-w-0 font-medium break-words underline-offset-2 hover:underline"
              >
                {job.name}
              </Link>
              <StateBadge job={job} />
            </p>
            <About job={job} />
            <Files job={job} />
            {job.error ? <p className="text-sm break-words text-danger">{job.error.message}</p> : null}
          </div>
          <Deeds job={job} />
        </li>
      ))}
    </ul>
  );
}

function Files({ job }: { job: Export }) {
  const made = madeBy(job).filter(({ file }) => file !== null);
  if (made.length === 0) return null;
  return (
    <ul className="mt-1 flex flex-wrap gap-x-3 gap-y-1 text-sm">
      {made.map(({ kind, verdict }) => (
        <li key={kind} className="flex items-center gap-1">
          <span>{kind}</span>
          {verdict ? <Verdict verdict={verdict} /> : null}
        </li>
      ))}
    </ul>
  );
}

function About({ job }: { job: Export }) {
  const t = useWords();
  const a = useAmounts();
  const step = figure(job, "step");
  const steps = figure(job, "steps");
  const doing = job.figures.doing;
  const told = [
    String(job.spec.source).split(/[\\/]/).findLast(Boolean) ?? "",
    isLive(job) && step !== null && steps
      ? t("export.step.of", { step, steps, doing: stepIn(t, String(doing)) })
      : null,
    t("train.age", { time: a.duration(Math.max(0, Date.now() / 1000 - job.created_s)) }),
  ];
  return (
    <p className="text-sm break-words text-soft tabular-nums" title={a.moment(job.created_s)}>
      {told.filter(Boolean).join(" · ")}
    </p>
  );
}
