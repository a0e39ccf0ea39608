import { useQuery } from "@tanstack/react-query";
import { Dialog } from "@/components/ui/dialog";
import { Fault, Loading, Snippet } from "@/components/ui/pieces";
import type { Message } from "@/services/chat-shapes";
import { renderedPrompt } from "@/services/prompt";
import { promptMessages } from "@/stores/chat-prompt";
import { useWords } from "@/words";

/** What the model read before this answer, as its template wrote it. */
export function Prompt({ message, onClose }: { message: Message; onClose: () => void }) {
  const t = useWords();
  const { data, error, refetch } = useQuery({
    queryKey: ["chat-prompt", message.id, message.revision],
    queryFn: ({ signal }) => renderedPrompt(message.model ?? "", promptMessages(message), signal),
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
          <Snippet text={data} label={t("chat.prompt")} />
        )}
      </div>
    </Dialog>
  );
}
