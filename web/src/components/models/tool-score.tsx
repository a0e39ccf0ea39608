import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Fault, Loading } from "@/components/ui/pieces";
import { type Failed, failedTries, type Score } from "@/services/evaluations";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** How a model calls tools, as a badge that opens the tries that did not pass. */
export function ToolScore({ id, score }: { id: string; score: Score | undefined }) {
  const t = useWords();
  const { number, share } = useAmounts();
  const [isOpen, setOpen] = useState(false);
  if (!score) return null;
  return (
    <>
      <button type="button" className="rounded-full" onClick={() => setOpen(true)}>
        <Badge tone={score.passed === score.of ? "good" : "plain"}>
          {t("evaluation.tools", { share: share(score.share) })}
        </Badge>
      </button>
      {isOpen ? (
        <Dialog
          isOpen
          isWide
          onClose={() => setOpen(false)}
          title={t("evaluation.title", { id })}
          about={t("evaluation.about", {
            passed: number(score.passed),
            of: number(score.of),
            low: share(score.low),
            high: share(score.high),
          })}
        >
          <FailedTries id={score.id} />
        </Dialog>
      ) : null}
    </>
  );
}

function FailedTries({ id }: { id: string }) {
  const t = useWords();
  const found = useQuery(failedTries(id));
  if (found.isPending) return <Loading />;
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  if (found.data.length === 0) return <p className="pb-4">{t("evaluation.none")}</p>;
  return (
    <ul aria-label={t("evaluation.failed")} className="flex flex-col gap-4 pb-4">
      {found.data.map((one) => (
        <li key={`${one.case} ${one.name}`} className="flex flex-col gap-1 text-sm">
          <h3 className="font-semibold break-words">
            {one.case}: {one.name}
          </h3>
          <p className="text-warn break-words">{one.why}</p>
          <Told title={t("evaluation.asked")} text={asked(one)} />
          <Told title={t("evaluation.answered")} text={one.said} />
        </li>
      ))}
    </ul>
  );
}

function Told({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <p className="text-soft">{title}</p>
      <pre className="max-h-40 overflow-auto rounded-lg bg-sunken p-2 font-mono text-xs break-words whitespace-pre-wrap">
        {text}
      </pre>
    </div>
  );
}

/** What was said last before the answer. */
function asked(one: Failed): string {
  const content = one.asked[0]?.messages?.at(-1)?.content;
  return typeof content === "string" ? content : JSON.stringify(content ?? "");
}
