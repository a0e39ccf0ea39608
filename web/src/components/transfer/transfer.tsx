import { Download } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField } from "@/components/ui/field";
import { type ExportForm, files } from "@/services/chats";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { Bring } from "./bring";

/** Chats that leave and come in, as files. */
export function Transfer({ onClose }: { onClose: () => void }) {
  const t = useWords();
  return (
    <Dialog isOpen onClose={onClose} title={t("chat.transfer")} isWide>
      <div className="flex flex-col gap-6 pb-5">
        <Bring />
        <Export />
      </div>
    </Dialog>
  );
}

function Export() {
  const t = useWords();
  const [form, setForm] = useState<ExportForm>("json");
  const [isUnderWay, setUnderWay] = useState(false);
  const save = async () => {
    setUnderWay(true);
    await files.save(form, `paddock-chats-${new Date().toISOString().slice(0, 10)}`).catch(tellFailure);
    setUnderWay(false);
  };
  const choices: { value: ExportForm; label: string }[] = [
    { value: "json", label: t("transfer.form.json") },
    { value: "markdown", label: t("transfer.form.markdown") },
    { value: "sharegpt", label: t("transfer.form.sharegpt.lines") },
  ];
  return (
    <section aria-labelledby="transfer-export" className="flex flex-col gap-3">
      <h3 id="transfer-export" className="font-semibold">
        {t("transfer.export")}
      </h3>
      <p className="text-sm text-soft">{t("transfer.export.about")}</p>
      <div className="flex flex-wrap items-end gap-3">
        <ChoiceField
          label={t("transfer.form")}
          value={form}
          choices={choices}
          onChange={(event) => setForm(event.target.value as ExportForm)}
          className="min-w-0 flex-1"
        />
        <Button onClick={() => void save()} disabled={isUnderWay}>
          <Download className="size-4" aria-hidden />
          {t("transfer.export.save")}
        </Button>
      </div>
    </section>
  );
}
