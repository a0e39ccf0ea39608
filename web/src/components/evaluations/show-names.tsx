import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Fault } from "@/components/ui/pieces";
import { evaluations } from "@/services/evaluations";
import { type Ballot, showNames, votes } from "@/services/votes";
import { useWords } from "@/words";

interface Props {
  id: string;
  told: Pick<Ballot, "voted" | "of">;
  onClose: () => void;
}

/** Asks before the names of a vote are shown, which ends it. */
export function ShowNames({ id, told: { voted, of }, onClose }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const show = useMutation({
    mutationFn: () => showNames(id),
    onSuccess: (told) => {
      queries.setQueryData(votes(id).queryKey, told);
      onClose();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey }),
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("vote.names.title")}
      about={voted < of ? t("vote.names.early", { n: of - voted }) : t("vote.names.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button
            kind={voted < of ? "danger" : "strong"}
            disabled={show.isPending}
            onClick={() => show.mutate()}
          >
            {t("vote.names")}
          </Button>
        </>
      }
    >
      {show.error ? <Fault error={show.error} /> : null}
    </Dialog>
  );
}
