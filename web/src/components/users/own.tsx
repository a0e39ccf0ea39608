import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Badge, Card, Fault } from "@/components/ui/pieces";
import { programOf } from "@/services/programs";
import { places, type SignedIn, session, type Who } from "@/services/session";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { NewPassword } from "./new-password";

/** The account of whoever is signed in: where, and by which password. */
export function Own({ who }: { who: Who }) {
  const t = useWords();
  const queries = useQueryClient();
  const { tell } = useNotices();
  const { data, error, refetch } = useQuery(places);
  const name = who.account ?? "";
  const signOut = async () => {
    await session.signOut().catch(tellFailure);
    // What was shown is not for the next one.
    queries.clear();
    location.assign("/");
  };
  const change = async (next: string, present: string) => {
    await session.changePassword(present, next);
    tell({ kind: "done", text: t("users.own.changed") });
    await queries.invalidateQueries({ queryKey: places.queryKey });
  };
  const leave = async (id: string) => {
    await session.leave(id).catch(tellFailure);
    await queries.invalidateQueries({ queryKey: places.queryKey });
  };
  return (
    <Card title={t("users.own")}>
      <div className="flex flex-col gap-5">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{name}</span>
          {who.role ? <Badge>{t(`users.role.${who.role}`)}</Badge> : null}
          <span className="flex-1" />
          <Button onClick={() => void signOut()}>{t("users.own.out")}</Button>
        </p>
        {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
        <ul aria-label={t("users.places")} className="divide-y divide-line">
          {data?.data.map((place) => (
            <Place key={place.id} place={place} onLeave={() => void leave(place.id)} />
          ))}
        </ul>
        <details>
          <summary className="cursor-pointer text-sm font-medium">{t("users.own.change")}</summary>
          <div className="max-w-md pt-3">
            <NewPassword name={name} act={t("users.own.change.do")} onChosen={change} asksPresent />
          </div>
        </details>
      </div>
    </Card>
  );
}

function Place({ place, onLeave }: { place: SignedIn; onLeave: () => void }) {
  const t = useWords();
  const { moment } = useAmounts();
  return (
    <li className="flex flex-wrap items-center gap-3 py-2 text-sm">
      <span className="min-w-0 flex-1 basis-64">
        <span className="block break-words">{programOf(place.program) || t("users.places.unknown")}</span>
        <span className="block text-xs text-soft">
          {t("users.places.seen", { address: place.address, when: moment(place.seen) })}
        </span>
      </span>
      {place.is_this ? (
        <Badge tone="good">{t("users.places.this")}</Badge>
      ) : (
        <Button onClick={onLeave}>{t("users.places.leave")}</Button>
      )}
    </li>
  );
}
