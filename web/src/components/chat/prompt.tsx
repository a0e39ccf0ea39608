import { useQuery } from "@tanstack/react-query";
import { Dialog } from "@/components/ui/dialog";
import { Fault, Loading, Snippet } from "@/components/ui/pieces";
import type { Message } from "@/services/chat-shapes";
import { lengthOfTokens, promptOf, renderedPrompt } from "@/services/prompt";
import { TEMPORARY } from "@/stores/chat";
import { promptAsked } from "@/stores/chat-prompt";
import { useWords } from "@/words";

/** What the model read before this answer, as its template wrote it. */
export function Prompt({ message, onClose }: { message: Message; onClose: () => void }) {
  const t = useWords();
  const { data, error, refetch } = useQuery({
    queryKey: ["chat-prompt", message.id, message.revision],
    queryFn: async ({ signal }) => {
      const model = message.model ?? "";
      const text =
        message.chat_id === TEMPORARY
          ? await renderedPrompt(promptAsked(message), signal)
          : await promptOf(message.chat_id, message.id, signal);
      const kept = message.usage?.cached_tokens ?? 0;
      return {
        text,
        kept: kept > 0 ? await lengthOfTokens(model, text, kept, signal).catch(() => null) : null,
      };
    },
    retry: false,
  });
  return (
    <Dialog isOpen isWide onClose={onClose} title={t("chat.prompt")} about={t("chat.prompt.about")}>
      <div className="pb-4">
        {error ? (
          <Fault error={error} onRetry={() => void refetch()} />
        ) : data === undefined ? (
          <Loading />
        ) : (
          <>
            {data.kept === null || !message.usage ? null : (
              <p data-kept-tokens className="pb-2 text-sm text-soft">
                <span className="rounded bg-tint px-1 text-ink">{t("chat.prompt.kept")}</span>{" "}
                {t("chat.prompt.kept.about", {
                  kept: message.usage.cached_tokens,
                  all: message.usage.input_tokens,
                })}
              </p>
            )}
            <Snippet text={data.text} marked={data.kept ?? 0} label={t("chat.prompt")} />
          </>
        )}
      </div>
    </Dialog>
  );
}
