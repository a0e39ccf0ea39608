import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Fault } from "@/components/ui/pieces";
import {
  canResume,
  changeTraining,
  type Deed,
  isLive,
  removeTraining,
  type Training,
  trainings,
} from "@/services/training";
import { tellFailure, useNotices } from "@/stores/notices";
import { forgetTraining } from "@/stores/training";
import { useWords } from "@/words";

const TONES = {
  queued: "plain",
  running: "good",
  stopping: "warn",
  done: "good",
  stopped: "plain",
  cancelled: "plain",
  failed: "bad",
} as const;

/** A link that stands among buttons. */
export const LINK =
  "inline-flex min-h-9 items-center rounded-lg border border-line bg-raised px-3 py-1.5 text-sm font-medium hover:bg-sunken";

export function StateBadge({ job }: { job: Pick<Training, "state"> }) {
  const t = useWords();
  return <Badge tone={TONES[job.state]}>{t(`train.state.${job.state}`)}</Badge>;
}

/** What can be done with a training as it is. */
export function Deeds({ job, onRemoved }: { job: Training; onRemoved?: () => Promise<void> }) {
  const t = useWords();
  const queries = useQueryClient();
  const [isRemoving, setRemoving] = useState(false);
  const change = useMutation({
    mutationFn: (deed: Deed) => changeTraining(job.id, deed),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: trainings.queryKey }),
  });
  const deed = (name: Deed) => (
    <Button
      aria-label={t(`train.${name}.one`, { name: job.name })}
      disabled={change.isPending}
      onClick={() => change.mutate(name)}
    >
      {t(`train.${name}`)}
    </Button>
  );
  return (
    <div className="flex flex-wrap gap-2">
      {job.state === "running" ? deed("stop") : null}
      {isLive(job) ? deed("cancel") : null}
      {canResume(job) ? deed("resume") : null}
      <Link
        to="/training/new"
        search={{ from: job.id }}
        aria-label={t("train.clone.one", { name: job.name })}
        className={LINK}
      >
        {t("train.clone")}
      </Link>
      {job.state === "done" || job.state === "stopped" ? (
        <Link
          to="/exports/new"
          search={{ from: job.id }}
          aria-label={t("train.export.one", { name: job.name })}
          className={LINK}
        >
          {t("train.export")}
        </Link>
      ) : null}
      {isLive(job) ? null : (
        <Button
          kind="danger"
          aria-label={t("train.remove.one", { name: job.name })}
          onClick={() => setRemoving(true)}
        >
          {t("train.remove")}
        </Button>
      )}
      {isRemoving ? <Removing job={job} onClose={() => setRemoving(false)} onRemoved={onRemoved} /> : null}
    </div>
  );
}

interface RemovingProps {
  job: Training;
  onClose: () => void;
  onRemoved: (() => Promise<void>) | undefined;
}

function Removing({ job, onClose, onRemoved }: RemovingProps) {
  const t = useWords();
  const queries = useQueryClient();
  const { tell } = useNotices();
  const remove = useMutation({
    mutationFn: () => removeTraining(job.id),
    onSuccess: async () => {
      tell({ kind: "done", text: t("train.removed", { name: job.name }) });
      onClose();
      // Forgotten while it is still shown, it would be asked for once more.
      await onRemoved?.();
      forgetTraining(job.id);
      queries.removeQueries({ queryKey: [...trainings.queryKey, job.id] });
      await queries.invalidateQueries({ queryKey: trainings.queryKey, exact: true });
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("train.remove.title", { name: job.name })}
      about={t("train.remove.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="danger" disabled={remove.isPending} onClick={() => remove.mutate()}>
            {t("train.remove")}
          </Button>
        </>
      }
    >
      {remove.error ? <Fault error={remove.error} /> : null}
    </Dialog>
  );
}
