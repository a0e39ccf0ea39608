import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { Card, Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { together } from "@/services/curves";
import { type Training, trainings } from "@/services/training";
import { useRuns, watchTraining } from "@/stores/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Chart, type Tone } from "./chart";
import { FigureChoice } from "./figure-choice";
import { figureIn, nameOf } from "./figures";

const LINES: Tone[] = ["main", "held", "third", "fourth", "fifth", "sixth"];

/** Trainings side by side: their curves over the same steps, and the options in which they differ. */
export function Compared({ ids }: { ids: string[] }) {
  const t = useWords();
  const { data, error, refetch } = useQuery(trainings);
  const found = (data?.data ?? []).filter(({ id }) => ids.includes(id)).slice(0, LINES.length);
  const jobs = found.map((job) => ({ ...job, name: labelOf(job, found) }));
  return (
    <Page title={t("train.compare")} about={t("train.compare.about")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? null : error ? null : <Loading />}
      {data && jobs.length === 0 ? <Empty>{t("train.compare.none")}</Empty> : null}
      {jobs.length > 0 ? (
        <>
          {jobs.length < ids.length ? (
            <p role="status" className="text-sm text-soft">
              {t("train.compare.some", { n: jobs.length, all: ids.length, most: LINES.length })}
            </p>
          ) : null}
          <Lines jobs={jobs} />
          <Differences jobs={jobs} />
        </>
      ) : null}
    </Page>
  );
}

/** Its name, and where others have the same, the end of its id too. */
function labelOf(job: Training, among: Training[]): string {
  return among.some(({ id, name }) => id !== job.id && name === job.name)
    ? `${job.name} (${job.id.slice(-6)})`
    : job.name;
}

function Lines({ jobs }: { jobs: Training[] }) {
  const t = useWords();
  const a = useAmounts();
  const runs = useRuns();
  const [figure, setFigure] = useState("loss");
  const ids = jobs.map(({ id }) => id).join();
  useEffect(() => {
    const stops = ids.split(",").map(watchTraining);
    return () => {
      for (const stop of stops) stop();
    };
  }, [ids]);
  const shown = jobs.flatMap(({ id }) => runs[id] ?? []);
  const names = [...new Set(shown.flatMap(({ curves }) => [...curves.columns.keys()]))];
  // Columns grow in place, so that what was drawn is told by the runs, which are new each time.
  const drawn = useMemo(
    () =>
      together(
        ids.split(",").map((id) => runs[id]?.curves),
        figure,
      ),
    [ids, runs, figure],
  );
  return (
    <Card title={t("train.curves")}>
      <FigureChoice names={names.length > 0 ? names : ["loss"]} figure={figure} onChoose={setFigure} />
      <Chart
        label={nameOf(t, figure)}
        steps={drawn.steps}
        lines={jobs.map(({ name }, place) => ({
          label: name,
          values: drawn.columns[place] ?? [],
          tone: LINES[place] ?? "main",
        }))}
        format={figureIn(a, figure)}
      />
    </Card>
  );
}

function Differences({ jobs }: { jobs: Training[] }) {
  const t = useWords();
  const a = useAmounts();
  const differing = Object.keys(jobs[0]?.spec ?? {}).filter(
    (name) => new Set(jobs.map(({ spec }) => spec[name])).size > 1,
  );
  const figures = ["loss", "eval_loss", "tokens_per_s", "took_s"].filter((name) =>
    jobs.some((job) => typeof job.figures[name] === "number"),
  );
  const cell = "py-1.5 pe-3 text-start align-top break-words";
  return (
    <Card title={t("train.differences")}>
      <section aria-label={t("train.differences")} tabIndex={0} className="overflow-x-auto">
        <table className="w-full text-sm">
          <thead className="text-soft">
            <tr>
              <td />
              {jobs.map(({ id, name }) => (
                <th key={id} scope="col" className={cell}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {differing.map((name) => (
              <tr key={name} className="border-t border-line">
                <th scope="row" className={`${cell} font-mono font-normal`} translate="no">
                  {name}
                </th>
                {jobs.map(({ id, spec }) => (
                  <td key={id} className={cell}>
                    {String(spec[name])}
                  </td>
                ))}
              </tr>
            ))}
            {figures.map((name) => (
              <tr key={name} className="border-t border-line">
                <th scope="row" className={`${cell} font-normal`}>
                  {name === "took_s" ? t("train.figure.took") : nameOf(t, name)}
                </th>
                {jobs.map(({ id, figures: told }) => (
                  <td key={id} className={`${cell} tabular-nums`}>
                    {typeof told[name] === "number" ? figureIn(a, name)(told[name]) : "–"}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Card>
  );
}
