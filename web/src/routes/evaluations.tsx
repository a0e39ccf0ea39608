import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { NewEvaluation } from "@/components/evaluations/new-evaluation";
import { NewVote } from "@/components/evaluations/new-vote";
import { EvaluationRows } from "@/components/evaluations/row";
import { OwnSets } from "@/components/evaluations/sets";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { evaluations } from "@/services/evaluations";
import { useWords } from "@/words";

export function EvaluationsRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(evaluations);
  const [opened, setOpened] = useState<"evaluation" | "vote" | null>(null);
  return (
    <Page
      title={t("nav.evaluations")}
      about={t("evaluations.about")}
      actions={
        <div className="flex w-full flex-wrap gap-2 sm:w-auto">
          <Button onClick={() => setOpened("vote")}>{t("vote.new")}</Button>
          <Button kind="strong" onClick={() => setOpened("evaluation")}>
            {t("evaluations.new")}
          </Button>
        </div>
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? null : error ? null : <Loading />}
      {data && data.length > 0 ? (
        <div className="rounded-2xl border border-line bg-raised px-4">
          <EvaluationRows label={t("nav.evaluations")} jobs={data} all={data} isMixed />
        </div>
      ) : null}
      {data && data.length === 0 ? <Empty>{t("evaluations.none")}</Empty> : null}
      <OwnSets />
      {opened === "evaluation" ? <NewEvaluation onClose={() => setOpened(null)} /> : null}
      {opened === "vote" ? <NewVote onClose={() => setOpened(null)} /> : null}
    </Page>
  );
}
