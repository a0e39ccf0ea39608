import { Button } from "@/components/ui/button";
import { Badge } from "@/components/ui/pieces";
import type { ApiKey } from "@/services/keys";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

const TONES = { valid: "good", expired: "warn", revoked: "bad" } as const;

/** The keys, those that let somebody in first, the newest first. */
export function KeyList({ keys, onRevoke }: { keys: ApiKey[]; onRevoke: ((key: ApiKey) => void) | null }) {
  const t = useWords();
  const sorted = [...keys].sort(
    (one, other) =>
      Number(other.state === "valid") - Number(one.state === "valid") || other.created - one.created,
  );
  return (
    <ul aria-label={t("nav.keys")} className="divide-y divide-line rounded-2xl border border-line bg-raised">
      {sorted.map((key) => (
        <li key={key.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
          <div className="min-w-0 flex-1 basis-64">
            <p className="flex flex-wrap items-center gap-2">
              <span className="min-w-0 font-medium break-words">{key.name || t("keys.unnamed")}</span>
              <code className="font-mono text-sm text-soft">…{key.ends_with}</code>
              <Badge tone={TONES[key.state]}>{t(`keys.state.${key.state}`)}</Badge>
              {key.recorded ? <Badge>{t("keys.recorded")}</Badge> : null}
            </p>
            <Times of={key} />
            <Terms of={key} />
          </div>
          {onRevoke && key.state === "valid" ? (
            <Button
              aria-label={t("keys.revoke.one", { name: key.name || `…${key.ends_with}` })}
              onClick={() => onRevoke(key)}
            >
              {t("keys.revoke")}
            </Button>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

function Terms({ of: { may, models, requests_today, tokens_today } }: { of: ApiKey }) {
  const t = useWords();
  return (
    <p className="mt-1 flex flex-wrap gap-x-4 text-sm text-soft">
      <span>{may.map((right) => t(`keys.may.${right}`)).join(", ")}</span>
      {models.length > 0 ? (
        <span className="break-all">{t("keys.only", { models: models.join(", ") })}</span>
      ) : null}
      {requests_today > 0 ? (
        <span>{t("keys.today", { requests: requests_today, tokens: tokens_today })}</span>
      ) : null}
    </p>
  );
}

function Times({ of: { created, expires, last_used } }: { of: ApiKey }) {
  const t = useWords();
  const { moment } = useAmounts();
  return (
    <p className="mt-1 flex flex-wrap gap-x-4 text-sm text-soft">
      <span>{t("keys.created", { when: moment(created) })}</span>
      <span>{last_used === null ? t("keys.unused") : t("keys.used", { when: moment(last_used) })}</span>
      <span>{expires === null ? t("keys.endless") : t("keys.expires", { when: moment(expires) })}</span>
    </p>
  );
}
