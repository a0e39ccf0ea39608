import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Compared } from "@/components/training/compared";
import { History } from "@/components/training/history";
import { NoStack } from "@/components/training/no-stack";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { trainings } from "@/services/training";
import { useWords } from "@/words";

export function TrainingRoute() {
  const { compare } = useSearch({ from: "/training" });
  return compare ? <Compared ids={compare.split(",").filter(Boolean)} /> : <Every />;
}

function Every() {
  const t = useWords();
  const navigate = useNavigate();
  const { data, error, refetch } = useQuery(trainings);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const jobs = data?.data ?? [];
  const compared = jobs.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const choose = (id: string, isChosen: boolean) =>
    setChosen((before) => new Set([...before, id].filter((one) => one !== id || isChosen)));
  return (
    <Page
      title={t("nav.training")}
      about={t("train.about")}
      actions={
        <>
          {jobs.length > 1 ? (
            <Button
              disabled={compared.length < 2}
              onClick={() => void navigate({ to: "/training", search: { compare: compared.join() } })}
            >
              {t("train.compare")}
            </Button>
          ) : null}
          <Button kind="strong" onClick={() => void navigate({ to: "/training/new" })}>
            {t("train.new")}
          </Button>
        </>
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data && !data.has_stack ? <NoStack /> : null}
      {data ? null : error ? null : <Loading />}
      {jobs.length > 0 ? <History jobs={jobs} chosen={chosen} onChoose={choose} /> : null}
      {data && jobs.length === 0 ? <Empty>{t("train.none")}</Empty> : null}
    </Page>
  );
}
