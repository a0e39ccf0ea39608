import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Fault } from "@/components/ui/pieces";
import { changeExport, type Deed, type Export, exports, removeExport } from "@/services/exports";
import { canResume, isLive } from "@/services/jobs";
import { forgetExport } from "@/stores/exports";
import { tellFailure, useNotices } from "@/stores/notices";
import { type Key, useWords } from "@/words";
import { PushDialog } from "./push-dialog";

const WORDS: Record<Deed, [Key, Key]> = {
  cancel: ["train.cancel", "train.cancel.one"],
  resume: ["train.resume", "train.resume.one"],
  verify: ["export.verify", "export.verify.one"],
};

interface DeedsProps {
  job: Export;
  mayPush?: boolean;
  onRemoved?: () => Promise<void>;
}

/** What can be done with an export as it is. */
export function Deeds({ job, mayPush = false, onRemoved }: DeedsProps) {
  const t = useWords();
  const queries = useQueryClient();
  const [isRemoving, setRemoving] = useState(false);
  const [isPushing, setPushing] = useState(false);
  const change = useMutation({
    mutationFn: (deed: Deed) => changeExport(job.id, deed),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: exports.queryKey }),
  });
  const deed = (name: Deed) => (
    <Button
      aria-label={t(WORDS[name][1], { name: job.name })}
      disabled={change.isPending}
      onClick={() => change.mutate(name)}
    >
      {t(WORDS[name][0])}
    </Button>
  );
  return (
    <div className="flex flex-wrap gap-2">
      {isLive(job) ? deed("cancel") : null}
      {canResume(job) ? deed("resume") : null}
      {job.state === "done" ? deed("verify") : null}
      {job.state === "done" && mayPush ? (
        <Button aria-label={t("push.one", { name: job.name })} onClick={() => setPushing(true)}>
          {t("push")}
        </Button>
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
      {isPushing ? <PushDialog job={job} onClose={() => setPushing(false)} /> : null}
      {isRemoving ? <Removing job={job} onClose={() => setRemoving(false)} onRemoved={onRemoved} /> : null}
    </div>
  );
}

interface RemovingProps {
  job: Export;
  onClose: () => void;
  onRemoved: (() => Promise<void>) | undefined;
}

function Removing({ job, onClose, onRemoved }: RemovingProps) {
  const t = useWords();
  const queries = useQueryClient();
  const { tell } = useNotices();
  const remove = useMutation({
    mutationFn: () => removeExport(job.id),
    onSuccess: async () => {
      tell({ kind: "done", text: t("train.removed", { name: job.name }) });
      onClose();
      // Forgotten while it is still shown, it would be asked for once more.
      await onRemoved?.();
      forgetExport(job.id);
      queries.removeQueries({ queryKey: [...exports.queryKey, job.id] });
      await queries.invalidateQueries({ queryKey: exports.queryKey, exact: true });
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("export.remove.title", { name: job.name })}
      about={t("export.remove.about")}
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
