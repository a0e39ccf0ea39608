import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Text } from "@/components/chat/text";
import { useKeys } from "@/components/shell/shortcuts";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Progress } from "@/components/ui/pieces";
import { type Evaluation, evaluations } from "@/services/evaluations";
import { isLive } from "@/services/jobs";
import { ballot, type Choice, choose, type Pair } from "@/services/votes";
import { useWords } from "@/words";
import { ShowNames } from "./show-names";

/** The choices, in the order in which they stand, with their keys. */
const CHOICES = [
  { choice: "left", key: "arrowleft", shown: "←" },
  { choice: "tie", key: "t", shown: "T" },
  { choice: "bad", key: "b", shown: "B" },
  { choice: "right", key: "arrowright", shown: "→" },
] as const satisfies { choice: Choice; key: string; shown: string }[];

/** A vote: two answers side by side without names, and which is better. */
export function BallotView({ job }: { job: Evaluation }) {
  const t = useWords();
  const queries = useQueryClient();
  const [number, setNumber] = useState<number | null>(null);
  const [isShowing, setShowing] = useState(false);
  const isAnswering = isLive(job);
  const found = useQuery(ballot(job.id, number, isAnswering));
  const vote = useMutation({
    mutationFn: ({ pair, choice }: { pair: Pair; choice: Choice }) => choose(job.id, pair.number, choice),
    onSuccess: (next, { pair }) => {
      // The next stands there at once; what was voted on is asked for anew where somebody goes back.
      queries.setQueryData(ballot(job.id, null, isAnswering).queryKey, next);
      queries.removeQueries({ queryKey: ballot(job.id, pair.number, isAnswering).queryKey });
      setNumber(null);
    },
  });
  const told = found.data;
  const { refetch } = found;
  const isWaiting = told?.pair === null;
  // What was asked for before the last answer came tells of no pair, and nobody asks for another by itself.
  // biome-ignore lint/correctness/useExhaustiveDependencies: answers that come are told with the evaluation
  useEffect(() => {
    if (isWaiting) void refetch();
  }, [isAnswering, job.vote?.ready]);
  const pair = told?.pair ?? null;
  const before = pair ? pair.number - 1 : (told?.ready ?? 0);
  const back = () => before > 0 && setNumber(before);
  const deed = (choice: Choice) => () => {
    if (pair && !vote.isPending) vote.mutate({ pair, choice });
  };
  const keys = Object.fromEntries(CHOICES.map(({ choice, key }) => [key, deed(choice)]));
  useKeys(isShowing ? {} : { ...keys, backspace: back });
  if (!told)
    return found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : <Loading />;
  return (
    <>
      <div className="flex flex-col gap-2">
        <p role="status" className="text-sm text-soft tabular-nums">
          {pair
            ? t("vote.far", { number: pair.number, of: told.of, voted: told.voted })
            : t("evaluation.voted", { voted: told.voted, of: told.of })}
        </p>
        <Progress label={t("vote.progress")} share={told.of ? told.voted / told.of : 0} />
      </div>
      {pair ? <PairView key={pair.number} pair={pair} /> : <Over isAnswering={isAnswering} told={told} />}
      {vote.error ? <Fault error={vote.error} onRetry={() => void reread()} /> : null}
      <div className="sticky bottom-0 -mx-4 flex flex-col gap-2 border-t border-line bg-ground px-4 py-3 sm:-mx-6 sm:px-6">
        {pair ? (
          <fieldset className="grid grid-cols-2 gap-2 sm:grid-cols-4">
            <legend className="sr-only">{t("vote.choose")}</legend>
            {CHOICES.map(({ choice, shown }) => (
              <Button
                key={choice}
                aria-pressed={pair.choice === choice}
                aria-keyshortcuts={KEYS[choice]}
                className={`min-h-11 ${ORDER[choice]} ${pair.choice === choice ? "border-accent text-accent" : ""}`}
                disabled={vote.isPending}
                onClick={deed(choice)}
              >
                {t(`vote.${choice}`)}
                <kbd className="text-xs text-soft coarse:hidden">{shown}</kbd>
              </Button>
            ))}
          </fieldset>
        ) : null}
        <div className="flex flex-wrap items-center gap-2">
          <Button kind="quiet" disabled={before < 1} onClick={back}>
            {t("vote.back")}
          </Button>
          {number !== null && (told.voted < told.ready || pair) ? (
            <Button kind="quiet" onClick={() => setNumber(null)}>
              {t("vote.next")}
            </Button>
          ) : null}
          <span className="flex-1" />
          <Button
            kind={told.voted === told.of ? "strong" : "quiet"}
            disabled={isAnswering}
            onClick={() => setShowing(true)}
          >
            {t("vote.names")}
          </Button>
        </div>
      </div>
      {isShowing ? <ShowNames id={job.id} told={told} onClose={() => setShowing(false)} /> : null}
    </>
  );

  /** What is there by now: the names may be shown elsewhere. */
  function reread() {
    vote.reset();
    return queries.invalidateQueries({ queryKey: evaluations.queryKey });
  }
}

const KEYS = { left: "ArrowLeft", tie: "T", bad: "B", right: "ArrowRight" } as const;
/** On a phone both sides stand above what is neither's. */
const ORDER = {
  left: "order-1",
  tie: "order-3 sm:order-2",
  bad: "order-4 sm:order-3",
  right: "order-2 sm:order-4",
};

function Over({ isAnswering, told }: { isAnswering: boolean; told: { voted: number; of: number } }) {
  const t = useWords();
  if (isAnswering) return <Empty>{t("vote.waits")}</Empty>;
  return <Empty>{t(told.voted === told.of ? "vote.all" : "vote.unanswered")}</Empty>;
}

/** What was asked, and both answers. */
export function PairView({ pair, names }: { pair: Pair; names?: { left: string; right: string } }) {
  const t = useWords();
  const isSame = pair.left.text === pair.right.text && !pair.left.is_refused && !pair.right.is_refused;
  return (
    <div className="flex flex-col gap-3">
      <section aria-label={t("evaluation.asked")} className="flex flex-col gap-2">
        {pair.asked.map((message, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: messages have no other name, and stay in their order
          <Message key={place} message={message} isOnly={pair.asked.length === 1} />
        ))}
      </section>
      {isSame ? <p className="text-sm text-soft">{t("vote.same")}</p> : null}
      <div className="grid gap-3 sm:grid-cols-2">
        {(["left", "right"] as const).map((side) => (
          <section
            key={side}
            aria-label={t(`vote.side.${side}`)}
            className="min-w-0 rounded-2xl border border-line bg-raised px-4 py-3"
          >
            <h2 className="mb-1 text-sm text-soft">{names?.[side] ?? t(`vote.side.${side}`)}</h2>
            {pair[side].is_refused ? (
              <p className="text-soft italic">{t("vote.refused")}</p>
            ) : pair[side].text ? (
              <Text text={pair[side].text} />
            ) : (
              <p className="text-soft italic">{t("vote.silent")}</p>
            )}
          </section>
        ))}
      </div>
    </div>
  );
}

function Message({ message, isOnly }: { message: unknown; isOnly: boolean }) {
  const { role, content } = message as { role?: unknown; content?: unknown };
  return (
    <div className="rounded-2xl bg-sunken px-4 py-2">
      {isOnly ? null : <p className="text-xs text-soft">{String(role)}</p>}
      <p className="break-words whitespace-pre-wrap">
        {typeof content === "string" ? content : JSON.stringify(content ?? "")}
      </p>
    </div>
  );
}
