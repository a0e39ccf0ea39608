import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Badge, Card, Fault } from "@/components/ui/pieces";
import { checkRemotes, remotes } from "@/services/models";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

const STATES: Record<
  string,
  { tone: "good" | "bad" | "plain"; words: "ok" | "unreachable" | "refused" | "unasked" }
> = {
  ok: { tone: "good", words: "ok" },
  unreachable: { tone: "bad", words: "unreachable" },
  "key refused": { tone: "bad", words: "refused" },
  "not asked": { tone: "plain", words: "unasked" },
};

/** Models that other servers answer for; nothing of them is on this machine. */
export function RemoteModels() {
  const t = useWords();
  const queries = useQueryClient();
  const found = useQuery(remotes);
  const check = useMutation({
    mutationFn: checkRemotes,
    onSuccess: (told) => queries.setQueryData(remotes.queryKey, told),
    onError: tellFailure,
  });
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  if (!found.data || (found.data.remotes.length === 0 && !found.data.fault)) return null;
  return (
    <Card
      title={t("models.remotes")}
      actions={
        <Button disabled={check.isPending} onClick={() => check.mutate()}>
          {t(check.isPending ? "models.remotes.checking" : "models.remotes.check")}
        </Button>
      }
    >
      <p className="mb-3 text-sm text-soft">{t("models.remotes.about")}</p>
      {found.data.fault ? <Fault error={new Error(found.data.fault)} /> : null}
      <ul aria-label={t("models.remotes")} className="flex flex-col gap-3">
        {found.data.remotes.map((one) => {
          const state = STATES[one.state] ?? { tone: "plain", words: "unasked" };
          return (
            <li key={one.name} aria-label={one.name} className="flex flex-col gap-1">
              <p className="flex flex-wrap items-center gap-2">
                <span className="font-medium">{one.name}</span>
                <Badge tone={state.tone}>{t(`models.remotes.${state.words}`)}</Badge>
                <span className="min-w-0 text-sm break-all text-soft">{one.url}</span>
              </p>
              {one.reason ? <p className="text-sm text-danger">{one.reason}</p> : null}
              {one.models.length > 0 ? (
                <p className="text-sm break-all text-soft">{one.models.join(", ")}</p>
              ) : null}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
