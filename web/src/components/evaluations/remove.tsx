import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Fault } from "@/components/ui/pieces";
import { type Evaluation, evaluations, removeEvaluation } from "@/services/evaluations";
import { removeSet, type SetSummary, sets } from "@/services/sets";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";

interface Props {
  job: Evaluation;
  onClose: () => void;
  onRemoved?: () => Promise<void>;
}

/** Asks before an evaluation goes with all that was found. */
export function RemoveEvaluation({ job, onClose, onRemoved }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const about = job.vote ? t("evaluation.remove.about.vote") : t("evaluation.remove.about");
  const gone = async () => {
    // Forgotten while it is still shown, it would be asked for once more.
    await onRemoved?.();
    queries.removeQueries({ queryKey: [...evaluations.queryKey, job.id] });
    await queries.invalidateQueries({ queryKey: evaluations.queryKey, exact: true });
    // A model wears the newest score of its file.
    void queries.invalidateQueries({ queryKey: ["models"] });
  };
  return (
    <Removing
      name={job.name}
      about={about}
      remove={() => removeEvaluation(job.id)}
      gone={gone}
      onClose={onClose}
    />
  );
}

/** Asks before a set goes. */
export function RemoveSet({ set, onClose }: { set: SetSummary; onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  return (
    <Removing
      name={set.name}
      about={t("sets.remove.about")}
      remove={() => removeSet(set.id)}
      gone={() => queries.invalidateQueries({ queryKey: sets.queryKey, exact: true })}
      onClose={onClose}
    />
  );
}

interface RemovingProps {
  name: string;
  about: string;
  remove: () => Promise<unknown>;
  gone: () => Promise<unknown>;
  onClose: () => void;
}

function Removing({ name, about, remove, gone, onClose }: RemovingProps) {
  const t = useWords();
  const tell = useNotices((state) => state.tell);
  const removing = useMutation({
    mutationFn: remove,
    onSuccess: async () => {
      tell({ kind: "done", text: t("train.removed", { name }) });
      onClose();
      await gone();
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("train.remove.title", { name })}
      about={about}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="danger" disabled={removing.isPending} onClick={() => removing.mutate()}>
            {t("train.remove")}
          </Button>
        </>
      }
    >
      {removing.error ? <Fault error={removing.error} /> : null}
    </Dialog>
  );
}
