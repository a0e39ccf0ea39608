import { ChoiceField } from "@/components/ui/field";
import { useWords } from "@/words";
import { nameOf } from "./figures";

/** Chooses which figure a chart shows. */
export function FigureChoice({
  names,
  figure,
  onChoose,
}: {
  names: string[];
  figure: string;
  onChoose: (figure: string) => void;
}) {
  const t = useWords();
  return (
    <ChoiceField
      label={t("train.curve")}
      className="mb-3 max-w-64"
      value={figure}
      onChange={(event) => onChoose(event.target.value)}
      choices={names.map((value) => ({ value, label: nameOf(t, value) }))}
    />
  );
}
