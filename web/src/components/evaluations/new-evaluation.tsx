import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { evaluations, startEvaluation, type Wish } from "@/services/evaluations";
import { sets } from "@/services/sets";
import { useWords } from "@/words";
import { ModelChoice, useEvaluable } from "./models";

interface Props {
  /** What is tried to begin with: a suite, or a set by its id. */
  tries?: string;
  onClose: () => void;
}

/** Begins an evaluation: of which model, by which tries. */
export function NewEvaluation({ tries: first = "tools", onClose }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const { ids, usual } = useEvaluable();
  const kept = useQuery(sets);
  const [model, setModel] = useState("");
  const [tries, setTries] = useState(first);
  const [judge, setJudge] = useState("");
  const own = kept.data?.find(({ id }) => id === tries);
  const wish: Wish = own
    ? { suite: "set", set_id: own.id, judge, model: model || usual }
    : { suite: tries === "pocket" ? "pocket" : "tools", model: model || usual };
  const begin = useMutation({
    mutationFn: () => startEvaluation(wish),
    onSuccess: onClose,
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey, exact: true }),
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("evaluations.new")}
      about={t("evaluations.new.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button
            kind="strong"
            disabled={!wish.model || (tries.startsWith("set_") && !own) || begin.isPending}
            onClick={() => begin.mutate()}
          >
            {t("evaluations.begin")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <ModelChoice label={t("evaluations.model")} ids={ids} value={model || usual} onChange={setModel} />
        <ChoiceField
          label={t("evaluations.tries")}
          value={tries}
          onChange={(event) => setTries(event.target.value)}
          choices={[
            { value: "tools", label: t("evaluations.tries.tools") },
            { value: "pocket", label: t("evaluations.tries.pocket") },
            ...(kept.data ?? []).map(({ id, name, tries: n }) => ({
              value: id,
              label: t("sets.named", { name, n }),
            })),
          ]}
        />
        {own ? (
          <ModelChoice
            label={t("evaluations.judge")}
            hint={t("evaluations.judge.hint")}
            ids={ids}
            none={t("evaluations.judge.none")}
            value={judge}
            onChange={setJudge}
          />
        ) : null}
        {kept.error ? <Fault error={kept.error} onRetry={() => void kept.refetch()} /> : null}
        {begin.error ? <Fault error={begin.error} /> : null}
      </div>
    </Dialog>
  );
}
