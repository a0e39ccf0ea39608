import { useQuery } from "@tanstack/react-query";
import { Card, Empty, Fault, Loading } from "@/components/ui/pieces";
import { audit } from "@/services/session";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What was done that an owner may want to know, the newest first. */
export function Audit() {
  const t = useWords();
  const { moment } = useAmounts();
  const { data, error, refetch } = useQuery(audit);
  return (
    <Card title={t("audit.title")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data || error ? null : <Loading />}
      {data?.data.length === 0 ? <Empty>{t("audit.none")}</Empty> : null}
      <ul
        aria-label={t("audit.title")}
        className="flex max-h-96 flex-col divide-y divide-line overflow-y-auto"
      >
        {data?.data.map((entry) => (
          <li key={entry.id} className="flex flex-wrap gap-x-3 py-1.5 text-sm">
            <span className="text-soft">{moment(entry.at)}</span>
            <span className="font-medium break-all">{entry.who}</span>
            <span className="min-w-0 flex-1 break-words">
              {entry.deed} {entry.about}
            </span>
            <span className="text-soft">{entry.address}</span>
          </li>
        ))}
      </ul>
      {data?.has_more ? <p className="pt-2 text-sm text-soft">{t("audit.more")}</p> : null}
    </Card>
  );
}
