import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField } from "@/components/ui/field";
import { Fault, Loading, Progress } from "@/components/ui/pieces";
import {
  change,
  type LocalModel,
  load,
  loaded,
  planOf,
  type Settings,
  settings,
  unload,
  type Wish,
} from "@/services/models";
import { contexts } from "@/services/plans";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { PlanView } from "./plan-view";

const KV_TYPES = ["f16", "q8_0", "q4_0"] as const;
const SLOTS = [1, 2, 4, 8, 16];

export function LoadDialog({ model, onClose }: { model: LocalModel; onClose: () => void }) {
  const kept = useQuery({ ...settings(model.id), staleTime: 0 });
  const t = useWords();
  const title = t("models.load.title", { id: model.id });
  if (!kept.data || !kept.isFetchedAfterMount) {
    return (
      <Dialog isOpen onClose={onClose} title={title}>
        {kept.error ? <Fault error={kept.error} onRetry={() => void kept.refetch()} /> : <Loading />}
      </Dialog>
    );
  }
  return <Planned model={model} kept={kept.data} title={title} onClose={onClose} />;
}

function wished(kept: Settings): Wish {
  const { context_tokens: context, slots, kv_type: kv } = kept;
  return {
    context: typeof context === "number" ? context : null,
    slots: typeof slots === "number" ? slots : null,
    kv: typeof kv === "string" ? kv : null,
  };
}

/** What is kept for the model so that it is loaded as chosen; only what differs. */
function changed(before: Wish, after: Wish) {
  const changes: Record<string, string | number | null> = {};
  if (before.context !== after.context) changes.context_tokens = after.context;
  if (before.slots !== after.slots) changes.slots = after.slots;
  if (before.kv !== after.kv) changes.kv_type = after.kv;
  return changes;
}

interface Props {
  model: LocalModel;
  kept: Settings;
  title: string;
  onClose: () => void;
}

function Planned({ model, kept, title, onClose }: Props) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const before = wished(kept);
  const [wish, setWish] = useState(before);
  const plan = useQuery({ ...planOf(model.id, wish), placeholderData: keepPreviousData, staleTime: 0 });
  const residents = useQuery(loaded);
  const isHeld = residents.data?.models.some((one) => one.id === model.id && one.state === "ready") ?? false;
  const stop = useRef<AbortController | null>(null);
  const isLeft = useRef(false);
  const loading = useMutation({
    mutationFn: async () => {
      stop.current = new AbortController();
      const changes = changed(before, wish);
      if (Object.keys(changes).length > 0) await change(model.id, changes);
      if (isHeld) await unload(model.id);
      await load(model.id, stop.current.signal);
    },
    onSuccess: () => {
      tell({ kind: "done", text: t("models.load.done", { id: model.id }) });
      if (!isLeft.current) onClose();
    },
    onError: (error) => {
      if (isLeft.current && !stop.current?.signal.aborted) tellFailure(error);
    },
    onSettled: () => void queries.invalidateQueries({ queryKey: ["models"] }),
  });
  const cancel = () => {
    stop.current?.abort();
    unload(model.id).catch(tellFailure);
  };
  const close = () => {
    isLeft.current = true;
    onClose();
  };
  const isRefused = loading.error && !stop.current?.signal.aborted;
  const largest = plan.data?.fitting_context_length;
  return (
    <Dialog
      isOpen
      onClose={close}
      title={title}
      about={t("models.load.about")}
      foot={
        loading.isPending ? (
          <>
            <Button kind="quiet" onClick={close}>
              {t("models.load.leave")}
            </Button>
            <Button onClick={cancel}>{t("models.load.cancel")}</Button>
          </>
        ) : (
          <>
            <Button kind="quiet" onClick={close}>
              {t("act.cancel")}
            </Button>
            <Button kind="strong" onClick={() => loading.mutate()}>
              {t(
                isHeld
                  ? "models.load.again"
                  : plan.data?.verdict === "does not fit"
                    ? "models.load.anyway"
                    : "models.load",
              )}
            </Button>
          </>
        )
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <div className="grid gap-3 sm:grid-cols-3">
          <ChoiceField
            label={t("models.context")}
            hint={t("models.context.hint")}
            value={wish.context ?? ""}
            disabled={loading.isPending}
            onChange={(event) => setWish({ ...wish, context: Number(event.target.value) || null })}
            choices={[
              { value: "", label: t("models.auto") },
              ...contexts(model.trained_context_length, before.context).map((tokens) => ({
                value: String(tokens),
                label: t("models.tokens", { n: amounts.count(tokens) }),
              })),
              ...(wish.context &&
              !contexts(model.trained_context_length, before.context).includes(wish.context)
                ? [
                    {
                      value: String(wish.context),
                      label: t("models.tokens", { n: amounts.count(wish.context) }),
                    },
                  ]
                : []),
            ]}
          />
          <ChoiceField
            label={t("models.slots")}
            hint={t("models.slots.hint")}
            value={wish.slots ?? ""}
            disabled={loading.isPending}
            onChange={(event) => setWish({ ...wish, slots: Number(event.target.value) || null })}
            choices={[
              { value: "", label: t("models.auto") },
              ...[...new Set([...SLOTS, ...(before.slots ? [before.slots] : [])])]
                .sort((a, b) => a - b)
                .map((count) => ({ value: String(count), label: amounts.count(count) })),
            ]}
          />
          <ChoiceField
            label={t("models.kv")}
            hint={t("models.kv.hint")}
            value={wish.kv ?? ""}
            disabled={loading.isPending}
            onChange={(event) => setWish({ ...wish, kv: event.target.value || null })}
            choices={[
              { value: "", label: t("models.auto") },
              ...KV_TYPES.map((kind) => ({ value: kind, label: t(`models.kv.${kind}`) })),
              ...(before.kv && !KV_TYPES.some((kind) => kind === before.kv)
                ? [{ value: before.kv, label: before.kv }]
                : []),
            ]}
          />
        </div>
        {plan.error ? <Fault error={plan.error} onRetry={() => void plan.refetch()} /> : null}
        {plan.data ? (
          <>
            <p className="text-sm text-soft">
              {t("models.plan.how", {
                context: amounts.count(plan.data.context_length),
                slots: amounts.count(plan.data.slots),
              })}
            </p>
            <PlanView plan={plan.data} />
            {plan.data.on_gpus ? (
              <details>
                <summary className="text-sm text-soft">{t("models.plan.gpus")}</summary>
                <div className="pt-2">
                  <PlanView plan={plan.data.on_gpus} />
                </div>
              </details>
            ) : null}
          </>
        ) : plan.error ? null : (
          <Loading />
        )}
        {largest && plan.data?.verdict === "does not fit" ? (
          <Button className="self-start" onClick={() => setWish({ ...wish, context: largest })}>
            {t("models.plan.take", { n: amounts.count(largest) })}
          </Button>
        ) : null}
        {loading.isPending ? (
          <div className="flex flex-col gap-1">
            <p role="status" className="text-sm">
              {t("models.load.going")}
            </p>
            <Progress label={t("models.load.going")} share={null} />
          </div>
        ) : null}
        {isRefused ? <Fault error={loading.error} onRetry={() => loading.mutate()} /> : null}
      </div>
    </Dialog>
  );
}
