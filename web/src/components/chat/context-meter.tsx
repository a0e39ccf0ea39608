import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { useContext } from "./use-models";

const WARNED_FROM = 0.85;

/** How much of what the model can take in this chat fills. */
export function ContextMeter({ chat }: { chat: string }) {
  const t = useWords();
  const { count, share } = useAmounts();
  const context = useContext(chat);
  if (!context) return null;
  const filled = context.used / context.limit;
  const told = t("chat.context", {
    n: count(context.used),
    limit: count(context.limit),
    share: share(filled),
  });
  return (
    <span data-context className="flex shrink-0 items-center gap-2 text-xs text-soft tabular-nums">
      <meter className="sr-only" aria-label={told} max={context.limit} value={context.used} />
      <span aria-hidden className="block h-1.5 w-12 overflow-hidden rounded-full bg-sunken">
        <span
          className={`block h-full ${filled >= WARNED_FROM ? "bg-warn" : "bg-accent"}`}
          style={{ width: `${Math.min(100, filled * 100)}%` }}
        />
      </span>
      <span aria-hidden className="hidden sm:inline">
        {told}
      </span>
      <span aria-hidden className="sm:hidden">
        {share(filled)}
      </span>
    </span>
  );
}

export function ContextWarning({ chat }: { chat: string }) {
  const t = useWords();
  const context = useContext(chat);
  if (!context || context.used / context.limit < WARNED_FROM) return null;
  return <p className="mx-auto w-full max-w-3xl px-6 pb-1 text-sm text-warn">{t("chat.context.near")}</p>;
}
