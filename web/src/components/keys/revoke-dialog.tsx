import { useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { type ApiKey, apiKeys, revokeKey } from "@/services/keys";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";

/** Asks before a key is ended for good. */
export function RevokeDialog({ revoked, onClose }: { revoked: ApiKey; onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const { tell } = useNotices();
  const name = revoked.name || `…${revoked.ends_with}`;
  const revoke = async () => {
    onClose();
    try {
      await revokeKey(revoked.id);
      tell({ kind: "done", text: t("keys.revoked", { name }) });
    } catch (failure) {
      tellFailure(failure);
    }
    await queries.invalidateQueries({ queryKey: apiKeys.queryKey });
  };
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("keys.revoke.title", { name })}
      about={t("keys.revoke.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="danger" onClick={() => void revoke()}>
            {t("keys.revoke")}
          </Button>
        </>
      }
    />
  );
}
