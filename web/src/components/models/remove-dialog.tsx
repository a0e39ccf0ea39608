import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Fault, Loading } from "@/components/ui/pieces";
import { removal, remove } from "@/services/models";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What would go and what would stay, before anything goes. */
export function RemoveDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const plan = useQuery(removal(id));
  const removing = useMutation({
    mutationFn: () => remove(id),
    onSuccess: () => {
      tell({ kind: "done", text: t("models.remove.done", { id }) });
      onClose();
    },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["models"] });
      void queries.invalidateQueries({ queryKey: ["v1", "models"] });
      void queries.invalidateQueries({ queryKey: ["hub"], refetchType: "none" });
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("models.remove.title", { id })}
      foot={
        <>
          <Button kind="quiet" onClick={onClose}>
            {t("act.cancel")}
          </Button>
          <Button kind="danger" disabled={!plan.data || removing.isPending} onClick={() => removing.mutate()}>
            {removing.isPending ? t("models.remove.going") : t("models.remove.deed")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        {plan.isPending ? <Loading /> : null}
        {plan.error ? <Fault error={plan.error} /> : null}
        {plan.data ? (
          <>
            <p>
              {plan.data.frees_bytes > 0
                ? t("models.remove.frees", { size: amounts.bytes(plan.data.frees_bytes) })
                : t("models.remove.frees.none")}
            </p>
            {plan.data.loaded ? (
              <p className="text-warn">
                {t(plan.data.live_requests > 0 ? "models.remove.live" : "models.remove.loaded")}
              </p>
            ) : null}
            <ul className="flex flex-col gap-2 text-sm">
              {plan.data.going.map((one) => (
                <li key={one.file}>
                  <span className="break-all">{one.file}</span>
                  <span className="block text-soft">
                    {one.note ?? t("models.remove.file", { size: amounts.bytes(one.frees_bytes) })}
                  </span>
                </li>
              ))}
              {plan.data.staying.map((one) => (
                <li key={one.file}>
                  <span className="break-all">{one.file}</span>
                  <span className="block text-soft">{t("models.remove.stays", { reason: one.reason })}</span>
                </li>
              ))}
            </ul>
          </>
        ) : null}
        {removing.error ? <Fault error={removing.error} /> : null}
      </div>
    </Dialog>
  );
}
