import { useQuery } from "@tanstack/react-query";
import { ChoiceField } from "@/components/ui/field";
import { here, listedModels } from "@/services/models";

interface Known {
  id: string;
  capabilities?: string[];
  remote?: unknown;
}

/** The models that can be evaluated: those that are served here and chat. */
export function useEvaluable(): { ids: string[]; usual: string } {
  const { data } = useQuery(listedModels);
  const { data: all } = useQuery(here);
  const ids = ((data ?? []) as Known[])
    .filter(({ capabilities, remote }) => !remote && (!capabilities || capabilities.includes("chat")))
    .map(({ id }) => id);
  const usual = all?.default ?? "";
  return { ids, usual: ids.includes(usual) ? usual : (ids[0] ?? "") };
}

interface Props {
  label: string;
  hint?: string;
  ids: string[];
  value: string;
  onChange: (id: string) => void;
  /** What stands for no model, where there may be none. */
  none?: string;
}

export function ModelChoice({ label, hint, ids, value, onChange, none }: Props) {
  const first = none === undefined ? [] : [{ value: "", label: none }];
  return (
    <ChoiceField
      label={label}
      hint={hint}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      choices={[...first, ...ids.map((id) => ({ value: id, label: id }))]}
    />
  );
}
