import { useState } from "react";
import { ChoiceField } from "@/components/ui/field";
import { Badge, CopyButton } from "@/components/ui/pieces";
import { faultOf, pretty } from "@/services/json";
import { LAYERS, type Layer, type Recorded } from "@/services/recordings";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { DiffView } from "./diff-view";

const WORDS: Record<Layer, Key> = {
  inbound: "layer.inbound",
  upstream: "layer.upstream",
  prompt: "layer.prompt",
  engine: "layer.engine",
  events: "layer.events",
  outbound: "layer.outbound",
};
const CHARACTERS_MOST = 200_000;

/** Two layers of a recorded exchange beside each other; where both are JSON, with marks where they differ. */
export function Layers({ record }: { record: Recorded }) {
  const t = useWords();
  const [left, setLeft] = useState<Layer>("inbound");
  const [right, setRight] = useState<Layer>(record.sections.upstream === undefined ? "outbound" : "upstream");
  const choices = LAYERS.map((name) => ({ value: name, label: `${t(WORDS[name])} (${name})` }));
  const text = (layer: Layer) => record.sections[layer] ?? "";
  const isCompared = faultOf(text(left)) === null && faultOf(text(right)) === null;
  return (
    <div className="flex flex-col gap-3">
      <div className="grid gap-4 md:grid-cols-2">
        <ChoiceField
          label={t("layer.left")}
          value={left}
          choices={choices}
          onChange={(event) => setLeft(event.target.value as Layer)}
        />
        <ChoiceField
          label={t("layer.right")}
          value={right}
          choices={choices}
          onChange={(event) => setRight(event.target.value as Layer)}
        />
      </div>
      <div className="grid gap-4 md:grid-cols-2">
        <About record={record} layer={left} />
        <About record={record} layer={right} />
      </div>
      {isCompared ? (
        <DiffView
          key={`${left} ${right}`}
          label={t("layer.beside")}
          left={pretty(text(left))}
          right={pretty(text(right))}
          leftTitle={t(WORDS[left])}
          rightTitle={t(WORDS[right])}
        />
      ) : (
        <div className="grid gap-4 md:grid-cols-2">
          <Whole layer={left} text={text(left)} />
          <Whole layer={right} text={text(right)} />
        </div>
      )}
    </div>
  );
}

function About({ record, layer }: { record: Recorded; layer: Layer }) {
  const t = useWords();
  const amounts = useAmounts();
  const at_ms = record.times_ms[layer];
  const text = record.sections[layer];
  if (text === undefined)
    return <p className="text-sm text-soft">{t("layer.none", { layer: t(WORDS[layer]) })}</p>;
  return (
    <div className="flex min-h-9 flex-wrap items-center gap-2 text-sm text-soft">
      <span className="flex-1">
        {t(WORDS[layer])}, {amounts.bytes(record.size_bytes[layer] ?? 0)}
        {at_ms === undefined ? "" : `, ${t("layer.at", { time: amounts.duration(at_ms / 1000) })}`}
      </span>
      {record.cut.includes(layer) ? <Badge tone="warn">{t("layer.cut")}</Badge> : null}
      <CopyButton label={t("layer.copy", { layer: t(WORDS[layer]) })} text={text} />
    </div>
  );
}

function Whole({ layer, text }: { layer: Layer; text: string }) {
  const t = useWords();
  const shown = faultOf(text) ? text : pretty(text);
  return (
    <section
      aria-label={t(WORDS[layer])}
      tabIndex={0}
      className="max-h-[36rem] min-w-0 overflow-y-auto rounded-lg border border-line"
    >
      <pre className="p-3 font-mono text-[0.8125rem] leading-relaxed break-words whitespace-pre-wrap">
        {shown.slice(0, CHARACTERS_MOST)}
        {shown.length > CHARACTERS_MOST ? `\n… ${t("layer.more")}` : ""}
      </pre>
    </section>
  );
}
