import { Badge } from "@/components/ui/pieces";
import { type Key, type Translate, useWords } from "@/words";

const TONES: Record<string, "plain" | "good" | "warn" | "bad"> = {
  pass: "good",
  warn: "warn",
  fail: "bad",
  none: "plain",
};
const LINKS = ["template", "tokenizer", "merge", "conversion", "quantisation"];
const STEPS = ["copy", "dequantise", "merge", "convert", "weigh", "quantise", "describe", "certify"];

/** What a file is by its certificate; a file without one was not compared. */
export function Verdict({ verdict }: { verdict: string | null }) {
  const t = useWords();
  const said = verdict ?? "none";
  return <Badge tone={TONES[said] ?? "plain"}>{verdictIn(t, said)}</Badge>;
}

/** What a file is called that has this verdict. */
export const verdictIn = (t: Translate, verdict: string) =>
  verdict in TONES ? t(`export.verdict.${verdict}` as Key) : verdict;

/** The name of a link of the chain. */
export const linkIn = (t: Translate, link: string) =>
  LINKS.includes(link) ? t(`export.link.${link}` as Key) : link;

/** The verdict on each link of a file's chain, in words. */
export function Links({ links }: { links: [string, string][] }) {
  const t = useWords();
  if (links.length === 0) return null;
  return (
    <ul aria-label={t("export.link")} className="flex flex-wrap gap-x-3 gap-y-1 text-sm">
      {links.map(([link, verdict]) => (
        <li key={link} className="flex items-center gap-1">
          <span className="text-soft">{linkIn(t, link)}</span> <LinkVerdict verdict={verdict} />
        </li>
      ))}
    </ul>
  );
}

export function LinkVerdict({ verdict }: { verdict: string }) {
  const t = useWords();
  return (
    <Badge tone={TONES[verdict] ?? "plain"}>
      {verdict in TONES ? t(`export.link.${verdict}` as Key) : verdict}
    </Badge>
  );
}

/** What a step does, such as "quantise Q8_0". */
export function stepIn(t: Translate, doing: string): string {
  const [what = "", ...types] = doing.split(" ");
  return STEPS.includes(what) ? t(`export.step.${what}` as Key, { type: types.join(" ") }) : doing;
}
