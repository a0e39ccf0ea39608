import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { SwitchField, TextField } from "@/components/ui/field";
import { Card, Fault } from "@/components/ui/pieces";
import { Refused } from "@/services/api";
import { changed, type Option, type Spec, startTraining, trainings, type Value } from "@/services/training";
import { forgetTrainingDraft, keepTrainingDraft, recallTrainingDraft } from "@/stores/training-draft";
import { useWords } from "@/words";
import { useHelp } from "@/words/help";
import { EveryOption, type FormProps } from "./every-option";
import { Needed } from "./needed";
import { NoStack } from "./no-stack";
import { OptionField } from "./option-field";
import { ReadYaml, WriteYaml } from "./yaml-dialogs";

/** What the simple view asks for, beside the name. */
const SIMPLE = ["base", "data", "method"] as const;

interface Props {
  options: Option[];
  hasStack: boolean;
  /** The training that this one is begun from, or "". */
  from: string;
  initial: Spec;
  initialName: string;
}

/** The options of a new training, by a few fields or by all, and what begins it. They outlast a reload. */
export function NewTraining({ options: described, hasStack, from, initial, initialName }: Props) {
  const t = useWords();
  const options = useHelp("training", described);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [recalled] = useState(() => recallTrainingDraft(from, described));
  const [values, setValues] = useState(recalled?.values ?? initial);
  const [name, setName] = useState(recalled?.name ?? initialName);
  const [isExpert, setExpert] = useState(recalled?.isExpert ?? needsExpert(initial));
  const isTouched = name !== initialName || JSON.stringify(values) !== JSON.stringify(initial);
  useEffect(() => {
    if (isTouched) keepTrainingDraft({ from, values, name, isExpert });
    else forgetTrainingDraft(from);
  }, [isTouched, from, values, name, isExpert]);
  const [opened, setOpened] = useState<"read" | "write" | null>(null);
  const begin = useMutation({
    mutationFn: (spec: Spec) => startTraining(spec, name),
    onSuccess: (job, spec) => {
      // What was only tried may be meant to be begun now.
      if (spec.dry_run === values.dry_run) forgetTrainingDraft(from);
      void queries.invalidateQueries({ queryKey: trainings.queryKey, exact: true });
      void navigate({ to: "/training/$id", params: { id: job.id } });
    },
    onError: (error) => {
      if (error instanceof Refused && error.param && !isSimple(error.param)) setExpert(true);
    },
  });
  const refused = begin.error instanceof Refused ? begin.error : null;
  const isKnown = options.some((one) => one.name === refused?.param) || refused?.param === "name";
  const fault = refused?.param && isKnown ? { param: refused.param, message: refused.message } : null;
  // Whoever is refused is led to the field that it is about.
  useEffect(() => {
    if (begin.error) form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [begin.error]);
  const change = (option: string, value: Value | undefined) => {
    begin.reset();
    setValues(({ [option]: _, ...others }) =>
      value === undefined ? others : changed({ ...others, [option]: value }, options),
    );
  };
  const startOver = () => {
    begin.reset();
    setValues(initial);
    setName(initialName);
    setExpert(needsExpert(initial));
  };
  const fields: FormProps = { options, values, fault, onChange: change };
  const canBegin = hasStack && !begin.isPending;
  return (
    <form
      ref={form}
      noValidate
      className="flex flex-col gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        begin.mutate(values);
      }}
    >
      {hasStack ? null : <NoStack />}
      <Card>
        <div className="mb-4 flex flex-wrap items-center gap-2">
          <div className="min-w-0 flex-1 basis-64">
            <SwitchField
              label={t("train.expert")}
              hint={t("train.expert.hint")}
              isOn={isExpert}
              onChange={setExpert}
            />
          </div>
          <Button onClick={() => setOpened("read")}>{t("train.yaml.read")}</Button>
          <Button onClick={() => setOpened("write")}>{t("train.yaml.write")}</Button>
        </div>
        <div className="grid gap-4 sm:grid-cols-2">
          {isExpert ? null : <Simple {...fields} />}
          <TextField
            label={t("train.name")}
            hint={t("train.name.hint")}
            fault={fault?.param === "name" ? fault.message : undefined}
            maxLength={200}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
      </Card>
      {isExpert ? <EveryOption {...fields} /> : null}
      {/* What was told of other options is not told of these. */}
      <Needed key={JSON.stringify(values)} spec={values} />
      {begin.error && !fault ? <Fault error={begin.error} /> : null}
      <div className="sticky bottom-0 flex flex-wrap justify-end gap-2 border-t border-line bg-ground py-3">
        {isTouched ? (
          <Button kind="quiet" disabled={begin.isPending} onClick={startOver}>
            {t("train.afresh")}
          </Button>
        ) : null}
        <Button disabled={!canBegin} onClick={() => begin.mutate({ ...values, dry_run: "only" })}>
          {t("train.dry.only")}
        </Button>
        <Button kind="strong" type="submit" disabled={!canBegin}>
          {t("train.start")}
        </Button>
      </div>
      {opened === "read" ? (
        <ReadYaml
          onClose={() => setOpened(null)}
          onRead={(spec) => {
            begin.reset();
            const taken = changed(spec, options);
            setValues(taken);
            setExpert(needsExpert(taken));
          }}
        />
      ) : null}
      {opened === "write" ? <WriteYaml spec={values} name={name} onClose={() => setOpened(null)} /> : null}
    </form>
  );
}

function needsExpert(spec: Spec): boolean {
  return Object.keys(spec).some((one) => !isSimple(one));
}

function isSimple(name: string): boolean {
  return name === "name" || (SIMPLE as readonly string[]).includes(name);
}

function Simple({ options, values, fault, onChange }: FormProps) {
  const t = useWords();
  return SIMPLE.map((name) => {
    const option = options.find((one) => one.name === name);
    return option ? (
      <OptionField
        key={name}
        option={option}
        label={t(`train.simple.${name}`)}
        value={values[name]}
        fault={fault?.param === name ? fault.message : undefined}
        onChange={(value) => onChange(name, value)}
      />
    ) : null;
  });
}
