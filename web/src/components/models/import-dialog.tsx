import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { bring } from "@/services/models";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";

/** Brings in a file of this machine, or the models of a folder, by a link: no byte is copied. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const [path, setPath] = useState("");
  const [name, setName] = useState("");
  const bringing = useMutation({
    mutationFn: () => bring(path.trim(), name.trim()),
    onSuccess: ({ imported, refused }) => {
      if (imported.length > 0) {
        const names = imported.map((one) => one.id).join(", ");
        tell({ kind: "done", text: t("models.import.done", { names }) });
      }
      if (refused.length === 0) onClose();
    },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["models"] });
      void queries.invalidateQueries({ queryKey: ["v1", "models"] });
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("models.import")}
      about={t("models.import.about")}
      foot={
        <>
          <Button kind="quiet" onClick={onClose}>
            {t(bringing.data ? "act.close" : "act.cancel")}
          </Button>
          <Button
            kind="strong"
            type="submit"
            form="import"
            disabled={path.trim() === "" || bringing.isPending}
          >
            {t("models.import.deed")}
          </Button>
        </>
      }
    >
      <form
        id="import"
        className="flex flex-col gap-4 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          bringing.mutate();
        }}
      >
        <TextField
          label={t("models.import.path")}
          hint={t("models.import.path.hint")}
          value={path}
          spellCheck={false}
          autoCapitalize="off"
          onChange={(event) => setPath(event.target.value)}
        />
        <TextField
          label={t("models.import.name")}
          hint={t("models.import.name.hint")}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {bringing.error ? <Fault error={bringing.error} /> : null}
        {bringing.data?.refused.length ? (
          <div role="alert" className="text-sm">
            <p className="font-medium text-warn">{t("models.import.refused")}</p>
            <ul className="list-disc ps-5">
              {bringing.data.refused.map((one) => (
                <li key={one.file}>
                  {one.file}: {one.reason}
                </li>
              ))}
            </ul>
          </div>
        ) : null}
      </form>
    </Dialog>
  );
}
