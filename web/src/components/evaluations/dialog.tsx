import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Empty, Fault, Loading } from "@/components/ui/pieces";
import { evaluations, type Suite, startEvaluation } from "@/services/evaluations";
import { isLive } from "@/services/jobs";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { EvaluationRows } from "./row";

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
    mutationFn: (suite: Suite) => startEvaluation({ suite, model: id }),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey }),
  });
  const all = found.data ?? [];
  const own = all.filter(({ spec }) => spec.model === id || spec.against === id);
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
      {own.length > 0 ? <EvaluationRows label={t("evaluation.all", { id })} jobs={own} all={all} /> : null}
    </Dialog>
  );
}
