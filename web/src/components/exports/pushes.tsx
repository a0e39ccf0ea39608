import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { StateBadge } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { Card, Fault, Progress } from "@/components/ui/pieces";
import type { Export } from "@/services/exports";
import { canResume, figure, isLive } from "@/services/jobs";
import { changePush, type Push, pushesOf } from "@/services/pushes";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** Where an export was pushed to, and how far that is. */
export function Pushes({ job, mayPush }: { job: Export; mayPush: boolean }) {
  const t = useWords();
  const { data } = useQuery(pushesOf(job.id));
  if (!data?.data.length) return null;
  return (
    <Card title={t("push.pushes")}>
      <ul className="-my-3 divide-y divide-line">
        {data.data.map((one) => (
          <One key={one.id} push={one} exported={job.id} mayPush={mayPush} />
        ))}
      </ul>
    </Card>
  );
}

function One({ push, exported, mayPush }: { push: Push; exported: string; mayPush: boolean }) {
  const t = useWords();
  const a = useAmounts();
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (deed: "cancel" | "resume") => changePush(push.id, deed),
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: pushesOf(exported).queryKey }),
  });
  const deed = isLive(push) ? "cancel" : canResume(push) ? "resume" : null;
  const size = figure(push, "size_bytes") ?? 0;
  const done = figure(push, "done_bytes") ?? 0;
  const name = push.name;
  return (
    <li className="flex flex-col gap-2 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-3">
        <code className="min-w-0 flex-1 font-mono break-all">{name}</code>
        <StateBadge job={push} />
        {deed && mayPush ? (
          <Button
            aria-label={t(deed === "cancel" ? "push.cancel.one" : "push.resume.one", { name })}
            disabled={change.isPending}
            onClick={() => change.mutate(deed)}
          >
            {t(deed === "cancel" ? "train.cancel" : "train.resume")}
          </Button>
        ) : null}
      </div>
      {isLive(push) ? (
        <>
          <Progress label={t("push.progress", { name })} share={size > 0 ? done / size : null} />
          <p className="text-soft">{t("push.of", { done: a.bytes(done), size: a.bytes(size) })}</p>
        </>
      ) : null}
      {push.state === "done" ? (
        <p>
          {t(push.figures.is_private === false ? "push.done.public" : "push.done.private", {
            url: String(push.figures.url ?? ""),
          })}
        </p>
      ) : null}
      {push.error ? <Fault error={push.error.message} /> : null}
    </li>
  );
}
