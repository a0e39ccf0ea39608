import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { Fault, Snippet } from "@/components/ui/pieces";
import { Refused } from "@/services/api";
import { allSettings, changeSettings, type Setting, type SettingValue } from "@/services/settings";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { shownValue, typed } from "./value";

interface Props {
  setting: Setting;
  label: string;
  canChange: boolean;
  whyNot: string | null;
  onClose: () => void;
}

/** All about one setting: what it means, where its value comes from, and what the next start shall take. */
export function Editor({ setting, label, canChange, whyNot, onClose }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const [draft, setDraft] = useState(String(setting.next_value));
  const form = useId();
  const isOpen = canChange && setting.is_editable;
  const change = useMutation({
    mutationFn: (value: SettingValue | null) => changeSettings({ [setting.name]: value }),
    onSuccess: (all) => {
      queries.setQueryData(allSettings.queryKey, all);
      tell({ kind: "done", text: t("settings.saved", { label }) });
      onClose();
    },
  });
  const value = typed(setting.kind, draft);
  const refused = change.error instanceof Refused ? change.error.message : undefined;
  const fault = value === null ? t("settings.number") : refused;
  const isOver = setting.source === "flag" || setting.source === "environment";
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={label}
      about={setting.help}
      foot={
        isOpen ? (
          <>
            {setting.in_file === null ? null : (
              <Button onClick={() => change.mutate(null)}>{t("settings.default")}</Button>
            )}
            <Button kind="strong" type="submit" form={form} disabled={value === null}>
              {t("act.save")}
            </Button>
          </>
        ) : null
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4 pb-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (value !== null) change.mutate(value);
        }}
      >
        {isOpen ? (
          <Input setting={setting} label={label} draft={draft} fault={fault} onDraft={setDraft} />
        ) : (
          <Fixed setting={setting} why={setting.why_not ?? whyNot} />
        )}
        {isOpen && isOver ? (
          <p className="rounded-lg bg-sunken px-3 py-2 text-sm text-warn">
            {t("settings.over", { where: setting.source === "flag" ? setting.flag : setting.variable })}
          </p>
        ) : null}
        <Origin setting={setting} />
        {change.error && !(change.error instanceof Refused) ? <Fault error={change.error} /> : null}
      </form>
    </Dialog>
  );
}

function Input({
  setting,
  label,
  draft,
  fault,
  onDraft,
}: {
  setting: Setting;
  label: string;
  draft: string;
  fault: string | undefined;
  onDraft: (text: string) => void;
}) {
  const t = useWords();
  const a = useAmounts();
  const { kind, low, high, name } = setting;
  if (kind === "switch")
    return (
      <>
        <SwitchField label={label} isOn={draft === "true"} onChange={(isOn) => onDraft(String(isOn))} />
        {fault ? <Fault error={fault} /> : null}
      </>
    );
  if (kind === "choice")
    return (
      <ChoiceField
        label={t("settings.next")}
        value={draft}
        fault={fault}
        onChange={(event) => onDraft(event.target.value)}
        choices={(setting.choices ?? []).map((value) => ({ value, label: value }))}
      />
    );
  const range =
    low === null || high === null
      ? undefined
      : t("settings.range", { low: a.number(low, 3), high: a.number(high, 3) });
  const number = typed(kind, draft);
  const read =
    typeof number === "number" && /_(bytes|s)$/.test(name)
      ? `= ${shownValue(name, number, t, a)}`
      : undefined;
  return (
    <TextField
      label={t("settings.next")}
      inputMode={kind === "text" ? "text" : "decimal"}
      value={draft}
      fault={fault}
      hint={[range, read].filter(Boolean).join(" · ") || undefined}
      onChange={(event) => onDraft(event.target.value)}
    />
  );
}

/** A setting that is not changed here: its value, and why. */
function Fixed({ setting, why }: { setting: Setting; why: string | null }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <>
      <p className="text-sm">
        <span className="text-soft">{t("settings.value")}: </span>
        <span className="font-medium break-all">{shownValue(setting.name, setting.value, t, a)}</span>
      </p>
      {why ? <p className="rounded-lg bg-sunken px-3 py-2 text-sm">{why}</p> : null}
    </>
  );
}

function Origin({ setting }: { setting: Setting }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <div className="flex flex-col gap-2 text-sm text-soft">
      <p>
        {t(`settings.from.${setting.source}`)}{" "}
        {t("settings.default.is", { value: shownValue(setting.name, setting.default, t, a) })}
      </p>
      <p>{t("settings.also")}</p>
      <Snippet
        label={setting.name}
        text={`${setting.flag}\n${setting.variable}\nconfig.toml: ${setting.name}`}
      />
    </div>
  );
}
