import { useState } from "react";
import { Card } from "@/components/ui/pieces";
import { type Curves, smoothed } from "@/services/curves";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Chart, type Line } from "./chart";
import { FigureChoice } from "./figure-choice";
import { figureIn, nameOf } from "./figures";

/** One figure of a training over its steps: as it is, smoothed, and that of the rows that are held out. */
export function Curve({ curves }: { curves: Curves }) {
  const t = useWords();
  const a = useAmounts();
  const [figure, setFigure] = useState("loss");
  const names = [...curves.columns.keys()].filter((name) => !name.startsWith("eval_"));
  const raw = curves.columns.get(figure) ?? [];
  const held = curves.columns.get(`eval_${figure}`);
  const lines: Line[] = [
    { label: nameOf(t, figure), values: raw, tone: "faint" },
    { label: t("train.smoothed"), values: smoothed(raw), tone: "main" },
  ];
  if (held) lines.push({ label: t("train.held"), values: held, tone: "held" });
  return (
    <Card title={t("train.curves")}>
      <FigureChoice
        names={names.includes(figure) ? names : [figure, ...names]}
        figure={figure}
        onChoose={setFigure}
      />
      <Chart
        label={t("train.chart", { figure: nameOf(t, figure), steps: curves.steps.length })}
        steps={curves.steps}
        lines={lines}
        format={figureIn(a, figure)}
      />
    </Card>
  );
}
