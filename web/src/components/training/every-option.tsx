import { useState } from "react";
import { SwitchField, TextField } from "@/components/ui/field";
import { Card, Empty } from "@/components/ui/pieces";
import type { Option, Spec, Value } from "@/services/training";
import { type Key, useWords } from "@/words";
import { OptionField } from "./option-field";

export interface FormProps {
  options: Option[];
  /** What differs from the defaults. */
  values: Spec;
  fault: { param: string; message: string } | null;
  onChange: (name: string, value: Value | undefined) => void;
}

/** Every option that says something to the chosen method, by what it is about, with a field that finds them. */
export function EveryOption({ options, values, fault, onChange }: FormProps) {
  const t = useWords();
  const [asked, setAsked] = useState("");
  const [isChangedOnly, setChangedOnly] = useState(false);
  const method = String(values.method ?? options.find(({ name }) => name === "method")?.default);
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const isShown = ({ name, help, methods }: Option) =>
    fault?.param === name ||
    ((name in values || (methods.includes(method) && !isChangedOnly)) &&
      words.every((word) => `${name} ${help}`.toLowerCase().includes(word)));
  const found = options.filter(isShown);
  const others = options.filter(({ methods }) => !methods.includes(method)).length;
  const groups = [...new Set(found.map(({ group }) => group))];
  return (
    <>
      <div className="grid items-end gap-3 sm:grid-cols-[1fr_auto]">
        <TextField
          label={t("train.search")}
          type="search"
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
        <div className="pb-1.5">
          <SwitchField label={t("train.changed")} isOn={isChangedOnly} onChange={setChangedOnly} />
        </div>
      </div>
      {found.length === 0 ? <Empty>{t("train.search.none")}</Empty> : null}
      {groups.map((group) => (
        <Card key={group} title={t(`train.group.${group}` as Key)}>
          <div className="grid gap-4 sm:grid-cols-2" translate="no">
            {found
              .filter((one) => one.group === group)
              .map((option) => (
                <OptionField
                  key={option.name}
                  option={option}
                  value={values[option.name]}
                  fault={fault?.param === option.name ? fault.message : undefined}
                  onChange={(value) => onChange(option.name, value)}
                />
              ))}
          </div>
        </Card>
      ))}
      {others > 0 ? <p className="text-sm text-soft">{t("train.others", { n: others, method })}</p> : null}
    </>
  );
}
