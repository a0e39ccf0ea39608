import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { Fault, Snippet } from "@/components/ui/pieces";
import { apiKeys, createKey } from "@/services/keys";
import { whoAsks } from "@/services/session";
import { useWords } from "@/words";
import { type Terms, TermsFields } from "./terms-fields";

const DAYS = ["", "7", "30", "90", "365"] as const;

/** Makes a key, and shows its text this once. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const { data: who } = useQuery(whoAsks);
  const [name, setName] = useState("");
  const [days, setDays] = useState("");
  const [isRecorded, setRecorded] = useState(false);
  const [terms, setTerms] = useState<Terms>({ may: ["ask"] });
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const [text, setText] = useState("");
  const create = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const made = await createKey({
        name: name.trim(),
        expires_days: days ? Number(days) : null,
        record: isRecorded,
        ...terms,
      });
      setText(made.key);
      await queries.invalidateQueries({ queryKey: apiKeys.queryKey });
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  if (text)
    return (
      <Dialog
        isOpen
        onClose={onClose}
        title={t("keys.made")}
        about={t("keys.made.about")}
        foot={
          <Button kind="strong" onClick={onClose}>
            {t("keys.made.done")}
          </Button>
        }
      >
        <div className="pb-3">
          <Snippet label={t("keys.made")} text={text} />
        </div>
      </Dialog>
    );
  return (
    <Dialog isOpen onClose={onClose} title={t("keys.create")} about={t("keys.create.about")}>
      <form
        className="flex flex-col gap-4 pb-4"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <TextField
          label={t("keys.name")}
          hint={t("keys.name.hint")}
          maxLength={200}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <ChoiceField
          label={t("keys.days")}
          value={days}
          choices={DAYS.map((value) => ({
            value,
            label: value ? t("keys.days.n", { n: Number(value) }) : t("keys.days.none"),
          }))}
          onChange={(event) => setDays(event.target.value)}
        />
        <TermsFields terms={terms} onTerms={setTerms} />
        {who?.rights.includes("inspect") ? (
          <SwitchField
            label={t("keys.record")}
            hint={t("keys.record.hint")}
            isOn={isRecorded}
            onChange={setRecorded}
          />
        ) : null}
        {failure ? <Fault error={failure} /> : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="strong" type="submit" disabled={isBusy || terms.may?.length === 0}>
            {t("keys.create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
