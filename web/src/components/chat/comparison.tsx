import { Check } from "lucide-react";
import { Button } from "@/components/ui/button";
import { useThreads } from "@/stores/chat";
import { children, siblings } from "@/stores/chat-tree";
import { showBranch } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { ChatMessage } from "./message";

/** The ids of the answers that stand side by side with this one; none unless several models gave them, with nothing after. */
export function useCompared(chat: string, id: string | undefined): string[] {
  const ids = useThreads((state) => {
    const messages = state.threads[chat]?.messages;
    const message = id ? messages?.[id] : undefined;
    if (!messages || !message || message.role !== "assistant") return "";
    const beside = siblings(messages, message.id);
    const models = new Set(beside.map((one) => messages[one]?.model));
    const isOver = beside.some((one) => children(messages).has(one));
    return models.size > 1 && !isOver ? beside.join(" ") : "";
  });
  return ids ? ids.split(" ") : [];
}

interface Props {
  chat: string;
  ids: string[];
  shown: string;
  edited: string | null;
  onEdit: (id: string | null) => void;
}

/** Answers of several models beside one another. The one that is used is gone on from. */
export function Comparison({ chat, ids, shown, edited, onEdit }: Props) {
  const t = useWords();
  return (
    <section
      data-comparison
      aria-label={t("chat.comparison")}
      tabIndex={0}
      className="-mx-2 flex snap-x gap-4 overflow-x-auto px-2"
    >
      {ids.map((id) => (
        <div
          key={id}
          className={`min-w-[min(18rem,80vw)] flex-1 snap-start rounded-2xl border px-3 ${id === shown ? "border-accent" : "border-line"}`}
        >
          <ChatMessage chat={chat} id={id} isLast isEdited={edited === id} onEdit={onEdit} />
          <Button
            kind="quiet"
            aria-pressed={id === shown}
            className="mb-2"
            onClick={() => showBranch(chat, id)}
          >
            {id === shown ? <Check className="size-4" aria-hidden /> : null}
            {t(id === shown ? "chat.comparison.used" : "chat.comparison.use")}
          </Button>
        </div>
      ))}
    </section>
  );
}
