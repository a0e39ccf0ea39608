import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { ChoiceField } from "@/components/ui/field";
import { Fault, Progress } from "@/components/ui/pieces";
import { hubFit } from "@/services/hub";
import { contexts } from "@/services/plans";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { PlanView } from "./plan-view";

/** What a model would take before it is fetched, by the beginnings of its files. */
export function HubFit({ model, onClose }: { model: string; onClose: () => void }) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const [context, setContext] = useState<number | null>(null);
  const asked = hubFit(model, context);
  const plan = useQuery({ ...asked, placeholderData: keepPreviousData });
  const largest = plan.data?.fitting_context_length;
  return (
    <section
      aria-label={t("models.fit.of", { model })}
      className="flex w-full flex-col gap-3 rounded-xl border border-line p-3"
    >
      {plan.isFetching ? (
        <div className="flex items-center gap-3">
          <div className="flex-1">
            <p className="mb-1 text-sm text-soft">{t("models.fit.going")}</p>
            <Progress label={t("models.fit.going")} share={null} />
          </div>
          <Button
            onClick={() => {
              void queries.cancelQueries({ queryKey: asked.queryKey });
              onClose();
            }}
          >
            {t("act.cancel")}
          </Button>
        </div>
      ) : null}
      {plan.error && !plan.isFetching ? (
        <Fault error={plan.error} onRetry={() => void plan.refetch()} />
      ) : null}
      {plan.data ? (
        <>
          <ChoiceField
            className="max-w-64"
            label={t("models.context")}
            hint={t("models.context.hint")}
            value={context ?? ""}
            disabled={plan.isFetching}
            onChange={(event) => setContext(Number(event.target.value) || null)}
            choices={[
              { value: "", label: t("models.auto") },
              ...contexts(plan.data.trained_context_length, largest).map((tokens) => ({
                value: String(tokens),
                label: t("models.tokens", { n: amounts.count(tokens) }),
              })),
            ]}
          />
          <p className="text-sm text-soft">
            {t("models.plan.how", {
              context: amounts.count(plan.data.context_length),
              slots: amounts.count(plan.data.slots),
            })}
          </p>
          <PlanView plan={plan.data} />
          {largest && plan.data.verdict === "does not fit" ? (
            <Button className="self-start" disabled={plan.isFetching} onClick={() => setContext(largest)}>
              {t("models.plan.take", { n: amounts.count(largest) })}
            </Button>
          ) : null}
        </>
      ) : null}
    </section>
  );
}
