import { Dialog } from "@/components/ui/dialog";
import { Badge } from "@/components/ui/pieces";
import type { Canary, Outcome } from "@/services/engines";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

const TONES = { pass: "good", fail: "bad", skip: "plain" } as const;

/** What a build showed when it was tried, with the figures of each model. */
export function CanaryDialog({
  build,
  canary,
  onClose,
}: {
  build: string;
  canary: Canary;
  onClose: () => void;
}) {
  const t = useWords();
  const a = useAmounts();
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("engines.canary.title", { build })}
      about={t("engines.canary.about", { when: a.moment(canary.made_s), against: canary.against })}
    >
      <div className="flex flex-col gap-5 pb-4 text-sm">
        {canary.reasons.length > 0 ? (
          <ul className="list-disc ps-5 text-danger">
            {canary.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        ) : null}
        <Outcomes title={t("engines.canary.expectations")} outcomes={canary.expectations} />
        <Outcomes title={t("engines.canary.clients")} outcomes={canary.clients} />
        {canary.models.map(({ model, status, reason, repetitions }) => {
          const last = repetitions.at(-1);
          return (
            <section key={model} aria-label={model}>
              <h3 className="flex items-center gap-2 font-medium">
                {model} <Badge tone={TONES[status]}>{t(`engines.canary.${status}`)}</Badge>
              </h3>
              {reason ? <p className="text-soft">{reason}</p> : null}
              {last ? (
                <table className="mt-1 tabular-nums">
                  <thead className="text-soft">
                    <tr>
                      <td />
                      <th className="px-3 text-end font-normal">{build}</th>
                      <th className="px-3 text-end font-normal">{canary.against}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {(["reading", "generation"] as const).map((kind) => (
                      <tr key={kind}>
                        <th className="pe-3 text-start font-normal">{t(`engines.canary.${kind}`)}</th>
                        <td className="px-3 text-end">{rate(last.new[kind])}</td>
                        <td className="px-3 text-end">{rate(last.active[kind])}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              ) : null}
            </section>
          );
        })}
        {canary.notes.map((note) => (
          <p key={note} className="text-soft">
            {note}
          </p>
        ))}
      </div>
    </Dialog>
  );

  function rate(value: number | null): string {
    return value === null ? "–" : t("engines.canary.rate", { n: a.number(value) });
  }
}

function Outcomes({ title, outcomes }: { title: string; outcomes: Outcome[] }) {
  const t = useWords();
  if (outcomes.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className="mb-1 font-medium">{title}</h3>
      <ul className="flex flex-col gap-1">
        {outcomes.map(({ name, status, reason }) => (
          <li key={name} className="flex flex-wrap items-baseline gap-2">
            <Badge tone={TONES[status]}>{t(`engines.canary.${status}`)}</Badge>
            <span>{name}</span>
            {reason ? <span className="text-soft">{reason}</span> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
