import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField, ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { Fault, Loading } from "@/components/ui/pieces";
import {
  type Advice,
  advice,
  change,
  here,
  type LocalModel,
  type Settings,
  settings,
  templateText,
} from "@/services/models";
import { useModelsView } from "@/stores/models";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { changesOf, type Draft, draftOf, isWrong, KV_TYPES, LOADING, SAMPLING } from "./settings-fields";

export function SettingsDialog({ model, onClose }: { model: LocalModel; onClose: () => void }) {
  const t = useWords();
  const kept = useQuery({ ...settings(model.id), staleTime: 0 });
  const told = useQuery({ ...advice(model.id), staleTime: 0 });
  const template = useQuery({ ...templateText(model.id), staleTime: 0 });
  const all = [kept, told, template];
  const error = all.find((one) => one.error)?.error;
  if (
    !kept.data ||
    told.data === undefined ||
    !template.data ||
    !all.every((one) => one.isFetchedAfterMount)
  ) {
    return (
      <Dialog isOpen onClose={onClose} title={t("models.settings.title", { id: model.id })}>
        {error ? (
          <Fault error={error} onRetry={() => all.forEach((one) => void one.refetch())} />
        ) : (
          <Loading />
        )}
      </Dialog>
    );
  }
  const own = template.data.from === "override" ? (template.data.template ?? "") : "";
  return <Form model={model} kept={kept.data} told={told.data} template={own} onClose={onClose} />;
}

interface Props {
  model: LocalModel;
  kept: Settings;
  told: Advice | null;
  template: string;
  onClose: () => void;
}

function Form({ model, kept, told, template, onClose }: Props) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const open = useModelsView((state) => state.open);
  const tell = useNotices((state) => state.tell);
  const others = useQuery(here).data?.models.filter((one) => one.id !== model.id) ?? [];
  const [before] = useState(() => draftOf(kept, template));
  const [draft, setDraft] = useState(before);
  const put = (name: string) => (value: string) => setDraft((old) => ({ ...old, [name]: value }));
  const changes = changesOf(before, draft);
  const isBad = [...SAMPLING, ...LOADING].some((one) =>
    isWrong(draft[one.name] ?? "", one.low, one.high, one.step),
  );
  const saving = useMutation({
    mutationFn: () => change(model.id, changes),
    onSuccess: (needsReload) => {
      void queries.invalidateQueries({ queryKey: ["models"] });
      tell({
        kind: "done",
        text: t(needsReload ? "models.settings.reload" : "models.settings.saved", { id: model.id }),
        ...(needsReload
          ? { action: { label: t("models.load.again"), run: () => open({ kind: "load", id: model.id }) } }
          : {}),
      });
      onClose();
    },
  });
  const numbers = (fields: typeof SAMPLING | typeof LOADING) =>
    fields.map((one) => (
      <NumberField
        key={one.name}
        {...one}
        draft={draft}
        onChange={put(one.name)}
        recommended={recommendation(told, one.name)}
      />
    ));
  const choice = (name: string, values: readonly string[]) => (
    <ChoiceField
      label={t(`models.set.${name}` as "models.set.thinking")}
      hint={t(`models.set.${name}.hint` as "models.set.thinking.hint")}
      value={draft[name] ?? ""}
      onChange={(event) => put(name)(event.target.value)}
      choices={[
        { value: "", label: t("models.set.unset") },
        ...values.map((value) => ({ value, label: value })),
      ]}
    />
  );
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("models.settings.title", { id: model.id })}
      about={t("models.settings.about")}
      foot={
        <>
          <Button kind="quiet" onClick={onClose}>
            {t("act.cancel")}
          </Button>
          <Button
            kind="strong"
            disabled={isBad || saving.isPending || Object.keys(changes).length === 0}
            onClick={() => saving.mutate()}
          >
            {t("act.save")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-6 pb-2">
        {saving.error ? <Fault error={saving.error} /> : null}
        {model.task === "text" ? (
          <Group title={t("models.settings.sampling")} about={<Family told={told} />}>
            {numbers(SAMPLING)}
            {choice("thinking", ["on", "off"])}
          </Group>
        ) : null}
        <Group title={t("models.settings.loading")} about={t("models.settings.loading.about")}>
          {numbers(LOADING)}
          {choice("kv_type", KV_TYPES)}
          {choice("flash_attention", ["auto", "on", "off"])}
          <ChoiceField
            label={t("models.set.draft_model")}
            hint={t("models.set.draft_model.hint")}
            value={draft.draft_model ?? ""}
            onChange={(event) => put("draft_model")(event.target.value)}
            choices={[
              { value: "", label: t("models.set.unset") },
              ...others
                .filter((one) => one.task === "text")
                .map((one) => ({ value: one.id, label: `${one.id} (${amounts.bytes(one.size_bytes)})` })),
            ]}
          />
        </Group>
        <div className="grid gap-4">
          <SwitchField
            label={t("models.set.pinned")}
            hint={t("models.set.pinned.hint")}
            isOn={draft.pinned === "true"}
            onChange={(isOn) => put("pinned")(isOn ? "true" : "")}
          />
          <SwitchField
            label={t("models.set.ngram_speculation")}
            hint={t("models.set.ngram_speculation.hint")}
            isOn={draft.ngram_speculation === "true"}
            onChange={(isOn) => put("ngram_speculation")(isOn ? "true" : "")}
          />
          <AreaField
            label={t("models.set.chat_template")}
            hint={t("models.set.chat_template.hint")}
            value={draft.chat_template ?? ""}
            onChange={(event) => put("chat_template")(event.target.value)}
            spellCheck={false}
          />
        </div>
      </div>
    </Dialog>
  );
}

function Group({
  title,
  about,
  children,
}: {
  title: string;
  about: React.ReactNode;
  children: React.ReactNode;
}) {
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="mb-1 font-semibold">{title}</legend>
      <p className="text-sm text-soft">{about}</p>
      <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">{children}</div>
    </fieldset>
  );
}

function Family({ told }: { told: Advice | null }) {
  const t = useWords();
  if (told?.family && told.verified) {
    return t("models.settings.family", { family: told.family, source: told.source ?? "" });
  }
  if (Object.values(told?.sources ?? {}).includes("file")) return t("models.settings.file");
  return t(told?.family ? "models.settings.family.unread" : "models.settings.family.none");
}

interface Recommended {
  value: number;
  source: "file" | "family";
}

function recommendation(told: Advice | null, name: string): Recommended | null {
  const value = told?.applied[name];
  const source = told?.sources[name];
  return value === undefined || source === undefined || source === "set" ? null : { value, source };
}

interface NumberProps {
  name: (typeof SAMPLING)[number]["name"] | (typeof LOADING)[number]["name"];
  low: number;
  high: number;
  step: number;
  draft: Draft;
  onChange: (text: string) => void;
  recommended: Recommended | null;
}

function NumberField({ name, low, high, step, draft, onChange, recommended }: NumberProps) {
  const t = useWords();
  const amounts = useAmounts();
  const text = draft[name] ?? "";
  const range = t("models.set.range", { low: amounts.number(low, 3), high: amounts.number(high, 3) });
  return (
    <TextField
      label={t(`models.set.${name}`)}
      hint={
        recommended
          ? t(`models.set.recommended.${recommended.source}`, {
              value: amounts.number(recommended.value, 3),
              hint: t(`models.set.${name}.hint`),
            })
          : t(`models.set.${name}.hint`)
      }
      fault={isWrong(text, low, high, step) ? range : undefined}
      inputMode="decimal"
      placeholder={recommended ? amounts.number(recommended.value, 3) : t("models.set.unset")}
      value={text}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
