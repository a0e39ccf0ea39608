import { TextField } from "@/components/ui/field";
import type { Exports } from "@/services/exports";
import { useWords } from "@/words";

interface Props {
  here: Exports;
  importance: string;
  split: string;
  faults: { importance: string | undefined; split: string | undefined };
  onImportance: (rows: string) => void;
  onSplit: (megabytes: string) => void;
}

export const MEGABYTE = 10 ** 6;

/** What few exports need: rows that tell which weights matter, and files in pieces. */
export function Finer({ here, importance, split, faults, onImportance, onSplit }: Props) {
  const t = useWords();
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <TextField
        label={t("export.importance")}
        hint={t(here.measures_importance ? "export.importance.hint" : "export.importance.unmade")}
        fault={faults.importance}
        value={importance}
        spellCheck={false}
        autoCapitalize="off"
        onChange={(event) => onImportance(event.target.value)}
      />
      <TextField
        label={t("export.split")}
        hint={t("export.split.hint", { least: here.split_least_bytes / MEGABYTE })}
        fault={faults.split}
        value={split}
        type="number"
        inputMode="numeric"
        min={here.split_least_bytes / MEGABYTE}
        onChange={(event) => onSplit(event.target.value)}
      />
    </div>
  );
}
