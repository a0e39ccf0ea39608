import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Card, Fault, Loading, Progress } from "@/components/ui/pieces";
import { type Share, type Votes, votes } from "@/services/votes";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { PairView } from "./ballot";

/** What was chosen in a vote, with whose the answers were. */
export function VoteReport({ id }: { id: string }) {
  const found = useQuery(votes(id));
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  return found.data ? <Told votes={found.data} /> : <Loading />;
}

function Told({ votes: told }: { votes: Votes }) {
  const t = useWords();
  const a = useAmounts();
  const report = told.report;
  if (!report) return null;
  const rows: [string, Share][] = [
    ...report.models.map((one): [string, Share] => [one.model, one]),
    [t("vote.tie"), report.tie],
    [t("vote.bad"), report.bad],
  ];
  const spread = ({ count, of, share, low, high }: Share) =>
    t("vote.share", { count, of, share: a.share(share), low: a.share(low), high: a.share(high) });
  return (
    <>
      <Card title={t("vote.report")}>
        <div className="flex flex-col gap-4">
          {report.is_whole ? null : (
            <p className="text-warn">{t("vote.early", { voted: told.voted, of: told.of })}</p>
          )}
          <ul aria-label={t("vote.report")} className="flex flex-col gap-3">
            {rows.map(([name, share]) => (
              <li key={name}>
                <div className="flex flex-wrap justify-between gap-x-4">
                  <p className="min-w-0 font-medium break-words">{name}</p>
                  <p className="text-sm text-soft tabular-nums">{spread(share)}</p>
                </div>
                <Progress label={name} share={share.share} />
              </li>
            ))}
          </ul>
          {report.preferred.of > 0 ? (
            <div className="flex flex-col gap-1 text-sm">
              <p>
                {t("vote.preferred", {
                  model: told.models[0] ?? "",
                  share: spread(report.preferred),
                  chance: a.number(report.chance, 3),
                })}
              </p>
              <p className="text-soft">{t("vote.lefts", { share: spread(report.left) })}</p>
            </div>
          ) : null}
        </div>
      </Card>
      <Pairs votes={told} />
    </>
  );
}

const SHOWN = 10;

/** Every pair with its names and what was chosen, some at a time. */
function Pairs({ votes: told }: { votes: Votes }) {
  const t = useWords();
  const [most, setMost] = useState(SHOWN);
  if (told.data.length === 0) return null;
  return (
    <Card title={t("vote.pairs")}>
      <ul aria-label={t("vote.pairs")} className="flex flex-col gap-6">
        {told.data.slice(0, most).map((pair) => (
          <li key={pair.number} className="flex flex-col gap-2">
            <PairView pair={pair} names={{ left: pair.left.model ?? "", right: pair.right.model ?? "" }} />
            <p className="text-sm">
              {pair.choice ? t("vote.chosen", { choice: t(`vote.${pair.choice}`) }) : t("vote.unvoted")}
            </p>
          </li>
        ))}
      </ul>
      {told.data.length > most ? (
        <Button className="mt-4" onClick={() => setMost(most + SHOWN)}>
          {t("vote.more")}
        </Button>
      ) : null}
    </Card>
  );
}
