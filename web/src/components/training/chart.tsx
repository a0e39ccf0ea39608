import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Column, tabled } from "@/services/curves";
import { useWords } from "@/words";

const HEIGHT_PX = 260;
const ROWS_MOST = 100;
// Between two marks of the axis below there are whole steps: there is no step 1.2.
const WHOLE_STEPS = [...Array(9).keys()].flatMap((power) => [1, 2, 5].map((times) => times * 10 ** power));
/** The colours that lines take, as the style sheet names them, each with its dashes: colour alone tells too little. */
const TONES = {
  faint: { color: "--soft", dash: [] },
  main: { color: "--accent", dash: [] },
  held: { color: "--warn", dash: [6, 4] },
  third: { color: "--focus", dash: [2, 3] },
  fourth: { color: "--danger", dash: [10, 3] },
  fifth: { color: "--ink", dash: [1, 4] },
  sixth: { color: "--soft", dash: [8, 3, 2, 3] },
} as const;
export type Tone = keyof typeof TONES;

export interface Line {
  label: string;
  values: Column;
  tone: Tone;
}

interface Props {
  /** What is drawn, read out in place of the picture. */
  label: string;
  steps: number[];
  lines: Line[];
  format: (value: number) => string;
}

/** Lines over steps, which the pointer reads; the same figures stand in a table beneath. */
export function Chart({ label, steps, lines, format }: Props) {
  const [row, setRow] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const written = useRef(format);
  written.current = format;
  const shape = lines.map(({ tone }) => tone).join();
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const tones = shape.split(",").filter(Boolean) as Tone[];
    const made = plotIn(place, tones, (value) => written.current(value), setRow);
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
    sizes.observe(place);
    // Its colours are read as it draws.
    const themes = new MutationObserver(() => made.redraw(false));
    themes.observe(document.documentElement, { attributeFilter: ["class"] });
    return () => {
      sizes.disconnect();
      themes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  // Columns grow in place: whenever this is drawn, there may be more in them.
  useEffect(() => plot.current?.setData([steps, ...lines.map(({ values }) => values)]));
  const at = row !== null && row < steps.length ? row : null;
  return (
    <figure>
      <div ref={box} role="img" aria-label={label} dir="ltr" className="w-full overflow-hidden" />
      <figcaption className="mt-2 flex min-h-6 flex-wrap gap-x-4 gap-y-1 text-sm text-soft">
        {lines.map(({ label: name, values, tone }) => (
          <span key={name} className="flex items-center gap-1.5">
            <Swatch tone={tone} />
            {name}
            <span className="text-ink tabular-nums">{shown(at === null ? null : values[at], format)}</span>
          </span>
        ))}
        {at === null ? null : <Step step={steps[at] ?? 0} />}
      </figcaption>
      <Figures label={label} steps={steps} lines={lines} format={format} />
    </figure>
  );
}

function shown(value: number | null | undefined, format: Props["format"]): string {
  return value === null || value === undefined ? "" : format(value);
}

function Step({ step }: { step: number }) {
  const t = useWords();
  return <span className="ms-auto tabular-nums">{t("train.step", { step })}</span>;
}

function Swatch({ tone }: { tone: Tone }) {
  const { color, dash } = TONES[tone];
  return (
    <svg aria-hidden="true" viewBox="0 0 20 4" className="h-1 w-5">
      <line
        x1="0"
        x2="20"
        y1="2"
        y2="2"
        strokeWidth="3"
        stroke={`var(${color})`}
        strokeDasharray={dash.join(" ")}
      />
    </svg>
  );
}

function Figures({ label, steps, lines, format }: Props) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  const columns = lines.map(({ values }) => values);
  const rows = isOpen ? tabled(steps.length, columns, ROWS_MOST) : [];
  return (
    <details className="mt-2 text-sm" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="py-1 text-soft">{t("train.table")}</summary>
      <section aria-label={label} tabIndex={0} className="max-h-72 overflow-auto">
        <table className="w-full tabular-nums">
          <thead className="text-soft">
            <tr>
              <th className="py-1 pe-3 text-start font-normal">{t("train.table.step")}</th>
              {lines.map(({ label: name }) => (
                <th key={name} className="py-1 pe-3 text-end font-normal">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((place) => (
              <tr key={place} className="border-t border-line">
                <td className="py-1 pe-3">{steps[place]}</td>
                {lines.map(({ label: name, values }) => (
                  <td key={name} className="py-1 pe-3 text-end">
                    {shown(values[place], format) || "–"}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length < steps.length ? (
          <p className="py-1 text-soft">{t("train.table.some", { n: rows.length, all: steps.length })}</p>
        ) : null}
      </section>
    </details>
  );
}

function plotIn(
  place: HTMLElement,
  tones: Tone[],
  format: (value: number) => string,
  onRow: (row: number | null) => void,
): uPlot {
  const color = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
  const axis = {
    stroke: color("--soft"),
    grid: { stroke: color("--sunken") },
    ticks: { stroke: color("--line") },
  };
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, incrs: WHOLE_STEPS },
      { ...axis, size: 72, values: (_, ticks) => ticks.map(format) },
    ],
    cursor: { y: false },
    hooks: { setCursor: [({ cursor }) => onRow(cursor.idx ?? null)] },
    series: [
      {},
      ...tones.map((tone): uPlot.Series => {
        const { color: name, dash } = TONES[tone];
        const weight = tone === "faint" ? { width: 1, alpha: 0.5 } : { width: 2 };
        return { stroke: color(name), dash: [...dash], spanGaps: true, ...weight };
      }),
    ],
  };
  return new uPlot(options, undefined, place);
}
