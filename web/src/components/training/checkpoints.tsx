import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Badge, Card, Fault } from "@/components/ui/pieces";
import {
  type Checkpoint,
  type CheckpointTry,
  checkpoints,
  forgetTry,
  isMade,
  scaled,
  tryCheckpoint,
} from "@/services/checkpoints";
import { listedModels } from "@/services/models";
import { isLive, type Training } from "@/services/training";
import { chatWith } from "@/stores/chat-beside";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

const SCALE_MOST = 10;

/** The checkpoints of a training, each of which can be chatted with beside its base. */
export function Checkpoints({ job }: { job: Training }) {
  const t = useWords();
  const { data, error, refetch } = useQuery(checkpoints(job.id, isLive(job)));
  const all = data?.data ?? [];
  if (job.spec.method === "embedding" || (!error && all.length === 0)) return null;
  return (
    <Card title={t("train.checkpoints")}>
      <p className="mb-2 text-sm text-soft">{t("train.checkpoints.about")}</p>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      <ul className="-my-2 divide-y divide-line">
        {all.map((one) => (
          <One key={one.step} job={job} checkpoint={one} />
        ))}
      </ul>
    </Card>
  );
}

function One({ job, checkpoint }: { job: Training; checkpoint: Checkpoint }) {
  const t = useWords();
  const a = useAmounts();
  const queries = useQueryClient();
  const { step, tried } = checkpoint;
  const deed = useMutation({
    mutationFn: (deed: typeof tryCheckpoint | typeof forgetTry): Promise<unknown> => deed(job.id, step),
    onError: tellFailure,
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: checkpoints(job.id, false).queryKey }),
        queries.invalidateQueries({ queryKey: listedModels.queryKey }),
      ]),
  });
  const isBusy = deed.isPending || isMade(tried);
  return (
    <li className="flex flex-col gap-2 py-2 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium tabular-nums">{t("train.step", { step: a.count(step) })}</span>
        <span className="text-soft tabular-nums">
          {checkpoint.size_bytes === null ? t("train.checkpoints.gone") : a.bytes(checkpoint.size_bytes)}
        </span>
        {isMade(tried) ? <Badge>{t("train.try.made")}</Badge> : null}
        <span className="flex-1" />
        {tried?.state === "done" ? (
          <Button
            aria-label={t("train.try.forget.one", { step })}
            disabled={isBusy}
            onClick={() => deed.mutate(forgetTry)}
          >
            {t("train.try.forget")}
          </Button>
        ) : checkpoint.is_kept ? (
          <Button
            aria-label={t("train.try.one", { step })}
            disabled={isBusy}
            onClick={() => deed.mutate(tryCheckpoint)}
          >
            {t("train.try")}
          </Button>
        ) : null}
      </div>
      {tried?.error ? <Fault error={tried.error.message} /> : null}
      {tried?.state === "done" ? <Chatting step={step} tried={tried} /> : null}
    </li>
  );
}

/** Begins a chat that a checkpoint and its base answer, side by side. */
function Chatting({ step, tried }: { step: number; tried: CheckpointTry }) {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [typed, setTyped] = useState("1");
  const scale = typed.trim() === "" ? Number.NaN : Number(typed);
  const isRight = Number.isFinite(scale) && Math.abs(scale) <= SCALE_MOST;
  const begin = () => {
    // Whoever listed the models before knows nothing of it.
    void queries.invalidateQueries({ queryKey: listedModels.queryKey });
    chatWith(scaled(tried, scale), [tried.base]);
    void navigate({ to: "/" });
  };
  return (
    <form
      className="flex flex-wrap items-end gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (isRight) begin();
      }}
    >
      <code className="min-w-0 flex-[1_1_16rem] self-center font-mono break-all text-soft">
        {isRight ? scaled(tried, scale) : tried.model}
      </code>
      {tried.takes_scale ? (
        <TextField
          label={t("train.try.scale")}
          value={typed}
          inputMode="decimal"
          className="w-24"
          fault={isRight ? undefined : t("train.try.scale.wrong", { most: SCALE_MOST })}
          onChange={(event) => setTyped(event.target.value)}
        />
      ) : null}
      <Button
        kind="strong"
        type="submit"
        disabled={!isRight}
        aria-label={t("train.try.chat.one", { step, base: tried.base })}
      >
        {t("train.try.chat")}
      </Button>
    </form>
  );
}
