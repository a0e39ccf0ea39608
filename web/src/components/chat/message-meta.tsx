import { createContext, useContext } from "react";
import type { Message } from "@/services/chat-shapes";
import { useIsHidden } from "@/stores/blind";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What an answer beside others is called while the name of its model is hidden, and with it what would tell it. */
export const BlindName = createContext<string | null>(null);

/** Who answered, how long it took and what it cost, by the server's clock and the engine's counts. */
export function MessageMeta({
  message,
  isQueued,
  isLost,
}: {
  message: Message;
  isQueued: boolean;
  isLost: boolean;
}) {
  const t = useWords();
  const { duration, count, number, share } = useAmounts();
  const { usage, timings, status } = message;
  const own = useContext(BlindName);
  const blind = useIsHidden(message.parent_id) ? (own ?? t("chat.message.assistant")) : null;
  const told: string[] = [];
  if (status === "generating")
    told.push(t(isLost ? "chat.lost" : isQueued ? "chat.queued" : "chat.generating"));
  else if (blind === null) {
    if (usage) told.push(t("chat.tokens", { n: count(usage.output_tokens) }));
    if (timings?.output_tokens_per_s) told.push(t("chat.rate", { n: number(timings.output_tokens_per_s) }));
    if (timings?.wait_s) told.push(t("chat.wait", { time: duration(timings.wait_s) }));
    if (usage && usage.cached_tokens > 0)
      told.push(t("chat.cached", { share: share(usage.cached_tokens / Math.max(1, usage.input_tokens)) }));
  }
  return (
    <p data-meta className="mb-1 flex min-h-5 flex-wrap items-baseline gap-x-2 text-xs text-soft">
      <span className="font-medium text-ink">{blind ?? message.model ?? t("chat.message.assistant")}</span>
      {told.map((one) => (
        <span key={one}>{one}</span>
      ))}
    </p>
  );
}
