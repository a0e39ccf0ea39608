import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Card, Fault, Loading } from "@/components/ui/pieces";
import { type SetSummary, sets } from "@/services/sets";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { NewEvaluation } from "./new-evaluation";
import { RemoveSet } from "./remove";
import { SetDialog } from "./set-dialog";

/** Sets of one's own: made, changed, tried, removed. */
export function OwnSets() {
  const t = useWords();
  const found = useQuery(sets);
  const [isMaking, setMaking] = useState(false);
  return (
    <Card title={t("sets.title")} actions={<Button onClick={() => setMaking(true)}>{t("sets.new")}</Button>}>
      {found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : null}
      {found.isPending ? <Loading /> : null}
      {found.data?.length === 0 ? <p className="text-soft">{t("sets.none")}</p> : null}
      {found.data && found.data.length > 0 ? (
        <ul aria-label={t("sets.title")} className="-my-3 divide-y divide-line">
          {found.data.map((set) => (
            <SetRow key={set.id} set={set} />
          ))}
        </ul>
      ) : null}
      {isMaking ? <SetDialog id={null} onClose={() => setMaking(false)} /> : null}
    </Card>
  );
}

function SetRow({ set }: { set: SetSummary }) {
  const t = useWords();
  const a = useAmounts();
  const [opened, setOpened] = useState<"try" | "change" | "remove" | null>(null);
  const close = () => setOpened(null);
  return (
    <li className="flex flex-wrap items-center gap-2 py-3">
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-medium break-words">{set.name}</p>
        <p className="text-sm text-soft tabular-nums">
          {t("sets.tries", { n: set.tries })} · {a.moment(set.changed_s)}
        </p>
      </div>
      <Button aria-label={t("sets.try.one", { name: set.name })} onClick={() => setOpened("try")}>
        {t("sets.try")}
      </Button>
      <Button aria-label={t("sets.change.one", { name: set.name })} onClick={() => setOpened("change")}>
        {t("sets.change")}
      </Button>
      <Button
        kind="danger"
        aria-label={t("train.remove.one", { name: set.name })}
        onClick={() => setOpened("remove")}
      >
        {t("train.remove")}
      </Button>
      {opened === "try" ? <NewEvaluation tries={set.id} onClose={close} /> : null}
      {opened === "change" ? <SetDialog id={set.id} onClose={close} /> : null}
      {opened === "remove" ? <RemoveSet set={set} onClose={close} /> : null}
    </li>
  );
}
