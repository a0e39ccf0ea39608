import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField, Field } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { importServers, pairsIn, toolServers } from "@/services/toolservers";
import { useWords } from "@/words";

/** Adds the servers that another program's file names, off; what is left out stays to be read. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const [text, setText] = useState("");
  const [inputs, setInputs] = useState("");
  const [leftOut, setLeftOut] = useState<[string, string][]>([]);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const add = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const found = await importServers(text, pairsIn(inputs));
      await queries.invalidateQueries({ queryKey: toolServers.queryKey });
      const left = Object.entries(found.left_out);
      if (left.length === 0) onClose();
      setLeftOut(left);
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  return (
    <Dialog isOpen onClose={onClose} title={t("servers.import")} about={t("servers.import.about")}>
      <form
        className="flex flex-col gap-4 pb-4"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <Field label={t("servers.file")}>
          {(named) => (
            <input
              {...named}
              type="file"
              accept=".json,.jsonc,application/json"
              className="text-sm"
              onChange={(event) => void event.target.files?.[0]?.text().then(setText)}
            />
          )}
        </Field>
        <AreaField
          label={t("servers.text")}
          rows={8}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <AreaField
          label={t("servers.inputs")}
          hint={t("servers.inputs.hint")}
          rows={2}
          value={inputs}
          onChange={(event) => setInputs(event.target.value)}
        />
        {failure ? <Fault error={failure} /> : null}
        {leftOut.length > 0 ? (
          <ul role="status" className="flex flex-col gap-1 text-sm">
            {leftOut.map(([name, why]) => (
              <li key={name} className="break-words">
                {t("servers.left", { name, why })}
              </li>
            ))}
          </ul>
        ) : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("act.close")}</Button>
          <Button kind="strong" type="submit" disabled={isBusy || !text.trim()}>
            {t("servers.import.do")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
