import { useQuery } from "@tanstack/react-query";
import { loaded } from "@/services/models";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** How much of the memory for models is taken, and by which. */
export function Meter() {
  const t = useWords();
  const amounts = useAmounts();
  const found = useQuery(loaded).data;
  if (!found?.memory_budget_bytes) return null;
  const whole = Math.max(found.memory_budget_bytes, found.memory_bytes);
  const told = t("models.meter", {
    used: amounts.bytes(found.memory_bytes),
    budget: amounts.bytes(found.memory_budget_bytes),
  });
  const waiting = Object.values(found.waiting).reduce((sum, count) => sum + count, 0);
  return (
    <div className="flex flex-col gap-1 text-sm text-soft">
      <div role="img" aria-label={told} className="flex h-2 gap-px overflow-hidden rounded-full bg-sunken">
        {found.models.map((one) => (
          <span
            key={one.id}
            className="h-full bg-accent"
            style={{ width: `${(one.memory_bytes / whole) * 100}%` }}
          />
        ))}
      </div>
      <p>
        {told}
        {waiting > 0 ? ` · ${t("models.meter.waiting", { n: waiting })}` : null}
      </p>
    </div>
  );
}
