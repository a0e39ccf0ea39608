import { useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { Badge } from "@/components/ui/pieces";
import type { Score } from "@/services/evaluations";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { FailedTries } from "./failed";

interface Props {
  /** The model. */
  id: string;
  /** Which tries these were. */
  suite: string;
  score: Score;
}

/** How much of a suite a model passed, as a badge that opens the tries that did not pass. */
export function ScoreBadge({ id, suite, score }: Props) {
  const t = useWords();
  const { number, share } = useAmounts();
  const [isOpen, setOpen] = useState(false);
  const isOfTools = suite === "tools";
  return (
    <>
      <button type="button" className="rounded-full" onClick={() => setOpen(true)}>
        <Badge tone={score.passed === score.of ? "good" : "plain"}>
          {isOfTools
            ? t("evaluation.tools", { share: share(score.share) })
            : t("evaluation.suite", { name: suite, share: share(score.share) })}
        </Badge>
      </button>
      {isOpen ? (
        <Dialog
          isOpen
          isWide
          onClose={() => setOpen(false)}
          title={isOfTools ? t("evaluation.title", { id }) : t("evaluation.title.suite", { id, name: suite })}
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
