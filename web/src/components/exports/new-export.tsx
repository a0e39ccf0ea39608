import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { NoStack } from "@/components/training/no-stack";
import { Button } from "@/components/ui/button";
import { ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { Card, Fault } from "@/components/ui/pieces";
import { Refused } from "@/services/api";
import { type Estimate, type Exports, estimate, exports, startExport } from "@/services/exports";
import type { Training } from "@/services/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Afterwards } from "./afterwards";
import { Finer, MEGABYTE } from "./finer";
import { Into } from "./into";
import { Types } from "./types";

const FIELDS = ["source", "base", "name", "types", "importance", "split_bytes", "evaluates"];

interface Props {
  here: Exports;
  trainings: Training[];
  /** The training or folder that was come from. */
  from: string;
}

/** The source, the types and the name of a new export, and what begins it. */
export function NewExport({ here, trainings, from }: Props) {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const isTraining = trainings.some(({ id }) => id === from);
  const [training, setTraining] = useState(isTraining ? from : "");
  const [folder, setFolder] = useState(isTraining ? "" : from);
  const [base, setBase] = useState("");
  // What is being typed is not asked about: what was left is.
  const [asked, setAsked] = useState({ folder, base });
  const [name, setName] = useState("");
  const [types, setTypes] = useState(() => here.types.filter((one) => one.is_usual).map((one) => one.name));
  const [certifies, setCertifies] = useState(true);
  const [importance, setImportance] = useState("");
  const [split, setSplit] = useState("");
  const [evaluates, setEvaluates] = useState<string[]>([]);
  const source = (training || folder).trim();
  const reckoned = useQuery(estimate((training || asked.folder).trim(), asked.base.trim()));
  const begin = useMutation({
    mutationFn: () =>
      startExport({
        source,
        base: base.trim(),
        name: name.trim(),
        types,
        certifies,
        importance: importance.trim(),
        split_bytes: Math.round(Number(split) * MEGABYTE),
        evaluates,
      }),
    onSuccess: (job) => {
      void queries.invalidateQueries({ queryKey: exports.queryKey, exact: true });
      void navigate({ to: "/exports/$id", params: { id: job.id } });
    },
  });
  const error = begin.error ?? reckoned.error;
  const refused = error instanceof Refused ? error : null;
  const about = (param: string) => (refused?.param === param ? refused.message : undefined);
  // Whoever is refused is led to the field that it is about.
  useEffect(() => {
    if (begin.error) form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [begin.error]);
  const changed =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      begin.reset();
      set(value);
    };
  const leave = () => setAsked({ folder, base });
  return (
    <form
      ref={form}
      noValidate
      className="flex flex-col gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        leave();
        begin.mutate();
      }}
    >
      {here.has_stack ? null : <NoStack />}
      <Card>
        <div className="grid gap-4 sm:grid-cols-2">
          <ChoiceField
            label={t("export.source")}
            hint={t("export.source.hint")}
            fault={training ? about("source") : undefined}
            value={training}
            onChange={(event) => changed(setTraining)(event.target.value)}
            choices={[
              ...trainings.map((one) => ({ value: one.id, label: one.name })),
              { value: "", label: t("export.source.folder") },
            ]}
          />
          {training ? null : (
            <TextField
              label={t("export.folder")}
              hint={t("export.folder.hint")}
              fault={about("source")}
              value={folder}
              spellCheck={false}
              autoCapitalize="off"
              onBlur={leave}
              onChange={(event) => changed(setFolder)(event.target.value)}
            />
          )}
          <TextField
            label={t("export.base")}
            hint={t("export.base.hint")}
            fault={about("base")}
            value={base}
            spellCheck={false}
            autoCapitalize="off"
            onBlur={leave}
            onChange={(event) => changed(setBase)(event.target.value)}
          />
          <TextField
            label={t("export.name")}
            hint={t("export.name.hint", { name: reckoned.data?.name ?? t("export.name.empty") })}
            fault={about("name")}
            value={name}
            maxLength={80}
            spellCheck={false}
            autoCapitalize="off"
            onChange={(event) => changed(setName)(event.target.value)}
          />
        </div>
      </Card>
      <Card>
        <Types
          types={here.types}
          chosen={types}
          sizes={reckoned.data?.sizes}
          isMeasured={importance.trim() !== ""}
          fault={about("types")}
          onChange={changed(setTypes)}
        />
        <p role="status" className="mt-3 text-sm text-soft tabular-nums">
          <Needed
            estimate={reckoned.data}
            types={types}
            isWhole={here.types.some(({ name, of }) => of === "model" && types.includes(name))}
          />
        </p>
        <div className="mt-4 flex flex-col gap-4 border-t border-line pt-4">
          <Finer
            here={here}
            importance={importance}
            split={split}
            faults={{ importance: about("importance"), split: about("split_bytes") }}
            onImportance={changed(setImportance)}
            onSplit={changed(setSplit)}
          />
          <SwitchField
            label={t("export.certifies")}
            hint={t("export.certifies.hint")}
            isOn={certifies}
            onChange={setCertifies}
          />
          <Afterwards
            suites={here.suites}
            chosen={evaluates}
            fault={about("evaluates")}
            onChange={changed(setEvaluates)}
          />
        </div>
      </Card>
      {error && !FIELDS.includes(refused?.param ?? "") ? <Fault error={error} /> : null}
      <div className="sticky bottom-0 flex flex-wrap justify-end gap-2 border-t border-line bg-ground py-3">
        <Button kind="strong" type="submit" disabled={!here.has_stack || begin.isPending}>
          {t("export.start")}
        </Button>
      </div>
    </form>
  );
}

/** What the chosen types take together, beside what is free. */
function Needed({
  estimate: told,
  types,
  isWhole,
}: {
  estimate: Estimate | undefined;
  types: string[];
  /** Whether a file of the whole model is made, before which an adapter is merged. */
  isWhole: boolean;
}) {
  const t = useWords();
  const a = useAmounts();
  if (!told) return t("export.needed.ask");
  const { sizes, memory_bytes, free_bytes } = told;
  if (!sizes) return t("export.needed.unknown");
  const merged_bytes = isWhole ? (told.merged_bytes ?? 0) : 0;
  const all = types.reduce((sum, type) => sum + (sizes[type] ?? 0), merged_bytes);
  return (
    <>
      {t("export.needed", {
        size: a.bytes(all),
        free: a.bytes(free_bytes),
        memory: a.bytes(memory_bytes ?? 0),
      })}
      {merged_bytes ? ` · ${t("export.needed.merged", { size: a.bytes(merged_bytes) })}` : null}
      <Into into={told.into} />
      {all > free_bytes ? <span className="block text-danger">{t("export.needed.many")}</span> : null}
    </>
  );
}
