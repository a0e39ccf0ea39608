import { SwitchField } from "@/components/ui/field";
import { type Key, useWords } from "@/words";

const KNOWN = ["tools", "pocket"];

interface Props {
  suites: readonly string[];
  chosen: readonly string[];
  fault: string | undefined;
  onChange: (chosen: string[]) => void;
}

/** By which tries each file is evaluated once it is made. */
export function Afterwards({ suites, chosen, fault, onChange }: Props) {
  const t = useWords();
  return suites
    .filter((one) => KNOWN.includes(one))
    .map((one) => (
      <SwitchField
        key={one}
        label={t(`export.evaluates.${one}` as Key)}
        hint={t("export.evaluates.hint")}
        fault={fault}
        isOn={chosen.includes(one)}
        onChange={(isOn) => onChange(suites.filter((name) => (name === one ? isOn : chosen.includes(name))))}
      />
    ));
}
