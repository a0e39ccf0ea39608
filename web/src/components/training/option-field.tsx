import { AreaField, ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import type { Option, Value } from "@/services/training";
import { useWords } from "@/words";

interface Props {
  option: Option;
  /** Its name, where the page has one of its own. */
  label?: string;
  /** What was chosen; undefined is the default. */
  value: Value | undefined;
  fault?: string | undefined;
  onChange: (value: Value | undefined) => void;
}

/** The number that a text says; the text itself where it says none: the server tells then what is wrong. */
function valueIn(option: Option, text: string): Value | undefined {
  if (text === "") return undefined;
  const isNumber = option.kind === "int" || option.kind === "float";
  const number = Number(text);
  return isNumber && text.trim() !== "" && Number.isFinite(number) ? number : text;
}

/** The field of an option, with all that the server says of it. */
export function OptionField({ option, label, value, fault, onChange }: Props) {
  const t = useWords();
  const usual = option.default === "" ? t("train.empty") : String(option.default);
  const range =
    option.low === null || option.high === null
      ? ""
      : t("train.range", { low: String(option.low), high: `${option.high} ${option.unit}`.trim() });
  const hint = [option.help, range, t("train.default", { value: usual, source: option.source })]
    .filter(Boolean)
    .join(" ");
  const named = { label: label ?? option.name, hint: fault ? undefined : hint, fault };
  if (option.kind === "bool")
    return (
      <SwitchField
        {...named}
        isOn={value === undefined ? option.default === true : value === true}
        onChange={onChange}
      />
    );
  if (option.choices.length > 0)
    return (
      <ChoiceField
        {...named}
        value={String(value ?? option.default)}
        onChange={(event) => onChange(event.target.value)}
        choices={option.choices.map((one) => ({
          value: one,
          label: one === option.default ? t("train.choice.default", { value: one }) : one,
        }))}
      />
    );
  const filled = {
    ...named,
    value: value === undefined ? "" : String(value),
    placeholder: String(option.default),
    spellCheck: false,
  };
  if (option.unit === "lines")
    return <AreaField {...filled} onChange={(event) => onChange(event.target.value || undefined)} />;
  return (
    <TextField
      {...filled}
      inputMode={option.kind === "str" ? "text" : "decimal"}
      onChange={(event) => onChange(valueIn(option, event.target.value))}
    />
  );
}
