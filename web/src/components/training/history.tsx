import { Link } from "@tanstack/react-router";
import { figure, type Training } from "@/services/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Deeds, StateBadge } from "./deeds";
import { figureIn } from "./figures";

interface Props {
  jobs: Training[];
  chosen: ReadonlySet<string>;
  onChoose: (id: string, isChosen: boolean) => void;
}

/** Every training, the newest first. */
export function History({ jobs, chosen, onChoose }: Props) {
  const t = useWords();
  return (
    <ul
      aria-label={t("nav.training")}
      className="divide-y divide-line rounded-2xl border border-line bg-raised"
    >
      {jobs.map((job) => (
        <li key={job.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
          <input
            type="checkbox"
            aria-label={t("train.choose", { name: job.name })}
            checked={chosen.has(job.id)}
            onChange={(event) => onChoose(job.id, event.target.checked)}
            className="size-5 accent-(--accent)"
          />
          <div className="min-w-0 flex-1 basis-64">
            <p className="flex flex-wrap items-center gap-2">
              <Link
                to="/training/$id"
                params={{ id: job.id }}
                className="min-w-0 font-medium break-words underline-offset-2 hover:underline"
              >
                {job.name}
              </Link>
              <StateBadge job={job} />
            </p>
            <About job={job} />
            {job.error ? <p className="text-sm break-words text-danger">{job.error.message}</p> : null}
          </div>
          <Deeds job={job} />
        </li>
      ))}
    </ul>
  );
}

function About({ job }: { job: Training }) {
  const t = useWords();
  const a = useAmounts();
  const loss = figure(job, "loss");
  const step = figure(job, "step");
  const steps = figure(job, "steps");
  const base = String(job.spec.base).split(/[\\/]/).findLast(Boolean) ?? "";
  const told = [
    base,
    String(job.spec.method),
    step !== null && steps ? t("train.step.of", { step, steps }) : null,
    loss === null ? null : t("train.loss", { loss: figureIn(a, "loss")(loss) }),
    t("train.age", { time: a.duration(Math.max(0, Date.now() / 1000 - job.created_s)) }),
  ];
  return (
    <p className="text-sm break-words text-soft tabular-nums" title={a.moment(job.created_s)}>
      {told.filter(Boolean).join(" · ")}
    </p>
  );
}
