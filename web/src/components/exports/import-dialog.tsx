import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { importFile, type Made } from "@/services/exports";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";

interface Props {
  id: string;
  made: Made & { file: string };
  onClose: () => void;
}

/** Puts a file among the models, by a link; one whose certificate does not pass is told of before. */
export function ImportDialog({ id, made: { file, verdict }, onClose }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const [name, setName] = useState("");
  const bringing = useMutation({
    mutationFn: () => importFile(id, file, name.trim()),
    onSuccess: ({ id: model }) => {
      tell({ kind: "done", text: t("export.import.done", { id: model }) });
      onClose();
    },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["models"] });
      void queries.invalidateQueries({ queryKey: ["v1", "models"] });
    },
  });
  const doubt =
    verdict === "pass" ? null : t(verdict === null ? "export.import.uncompared" : "export.import.warned");
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("export.import.one", { file })}
      about={t("export.import.about")}
      foot={
        <>
          <Button kind="quiet" onClick={onClose}>
            {t("act.cancel")}
          </Button>
          <Button kind="strong" type="submit" form="import-export" disabled={bringing.isPending}>
            {t("export.import")}
          </Button>
        </>
      }
    >
      <form
        id="import-export"
        className="flex flex-col gap-4 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          bringing.mutate();
        }}
      >
        {doubt ? <p className="text-sm text-warn">{doubt}</p> : null}
        <TextField
          label={t("export.import.name")}
          hint={t("export.import.name.hint")}
          value={name}
          spellCheck={false}
          autoCapitalize="off"
          onChange={(event) => setName(event.target.value)}
        />
        {bringing.error ? <Fault error={bringing.error} /> : null}
      </form>
    </Dialog>
  );
}
