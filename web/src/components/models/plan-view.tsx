import { type Plan, shares } from "@/services/plans";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { joined } from "../ui/joined";

const TONES: Record<Plan["verdict"], string> = {
  fits: "text-accent",
  tight: "text-warn",
  "does not fit": "text-danger",
};
const VERDICTS: Record<Plan["verdict"], Key> = {
  fits: "models.verdict.fits",
  tight: "models.verdict.tight",
  "does not fit": "models.verdict.not",
};
const STRENGTHS = [1, 0.72, 0.52, 0.38, 0.28, 0.2, 0.14, 0.1];

/** What a model needs by purpose, beside what is free: a bar, its parts in words, and whether it fits. */
export function PlanView({ plan }: { plan: Plan }) {
  const t = useWords();
  const amounts = useAmounts();
  const parts = shares(plan);
  const whole = Math.max(plan.needed_bytes, plan.free_bytes, 1);
  const scale = plan.needed_bytes / Math.max(1, plan.memory.total_bytes);
  return (
    <div className="flex flex-col gap-3">
      <p className={joined("font-medium", TONES[plan.verdict])}>{t(VERDICTS[plan.verdict])}</p>
      <div
        role="img"
        aria-label={t("models.plan.bar", {
          needed: amounts.bytes(plan.needed_bytes),
          free: amounts.bytes(plan.free_bytes),
        })}
        className="relative flex h-4 overflow-hidden rounded-md border border-line bg-sunken"
      >
        {parts.map(({ purpose, bytes }, place) => (
          <span
            key={purpose}
            className={plan.verdict === "does not fit" ? "bg-danger" : "bg-accent"}
            style={{ width: `${((bytes * scale) / whole) * 100}%`, opacity: STRENGTHS[place] ?? 0.1 }}
          />
        ))}
      </div>
      <p className="text-sm">
        {t("models.plan.bar", {
          needed: amounts.bytes(plan.needed_bytes),
          free: amounts.bytes(plan.free_bytes),
        })}
      </p>
      <dl className="grid grid-cols-[auto_1fr_auto] items-center gap-x-2 gap-y-1 text-sm">
        {parts.map(({ purpose, bytes }, place) => (
          <div key={purpose} className="contents">
            <span
              aria-hidden="true"
              className="size-3 rounded-sm bg-accent"
              style={{ opacity: STRENGTHS[place] ?? 0.1 }}
            />
            <dt className="text-soft">{t(`models.purpose.${purpose}`)}</dt>
            <dd className="text-end tabular-nums">{amounts.bytes(bytes)}</dd>
          </div>
        ))}
      </dl>
      {plan.changes.length > 0 ? (
        <ul className="list-disc ps-5 text-sm text-warn">
          {plan.changes.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      ) : null}
      <details className="text-sm">
        <summary className="text-soft">{t("models.plan.why")}</summary>
        <ul className="mt-1 list-disc ps-5">
          {plan.explanation.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      </details>
    </div>
  );
}
