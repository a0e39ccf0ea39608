import { Download } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField } from "@/components/ui/field";
import { Progress } from "@/components/ui/pieces";
import { type ExportForm, files } from "@/services/chats";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
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

/** How often what came is told, in milliseconds. */
const TOLD_EVERY_MS = 200;

function Export() {
  const t = useWords();
  const { bytes } = useAmounts();
  const [form, setForm] = useState<ExportForm>("json");
  const [working, setWorking] = useState<AbortController | null>(null);
  const [came, setCame] = useState({ count: 0, after_s: 0 });
  const save = async () => {
    const stop = new AbortController();
    const began_ms = Date.now();
    let told_ms = 0;
    const onBytes = (count: number) => {
      if (Date.now() - told_ms < TOLD_EVERY_MS) return;
      told_ms = Date.now();
      setCame({ count, after_s: (told_ms - began_ms) / 1000 });
    };
    setCame({ count: 0, after_s: 0 });
    setWorking(stop);
    try {
      const name = `paddock-chats-${new Date().toISOString().slice(0, 10)}`;
      await files.save(form, name, { signal: stop.signal, onBytes });
    } catch (fault) {
      if (!stop.signal.aborted) tellFailure(fault);
    }
    setWorking(null);
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
        <Button onClick={() => void save()} disabled={working !== null}>
          <Download className="size-4" aria-hidden />
          {t("transfer.export.save")}
        </Button>
      </div>
      {working ? (
        <div className="flex flex-col gap-2">
          <Progress label={t("transfer.writing")} share={null} />
          <div className="flex items-center gap-3 text-sm text-soft">
            <span className="flex-1">
              {t("transfer.written", {
                size: bytes(came.count),
                rate: bytes(came.after_s > 0 ? came.count / came.after_s : 0),
              })}
            </span>
            <Button onClick={() => working.abort()}>{t("act.cancel")}</Button>
          </div>
        </div>
      ) : null}
    </section>
  );
}
