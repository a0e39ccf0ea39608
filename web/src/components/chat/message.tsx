import { lazy, memo, Suspense, useState } from "react";
import { joined } from "@/components/ui/joined";
import { useThreads } from "@/stores/chat";
import { useAnswers } from "@/stores/chat-answers";
import { useWords } from "@/words";
import { MessageActions } from "./message-actions";
import { EditMessage } from "./message-edit";
import { MessageFault } from "./message-fault";
import { MessageMeta } from "./message-meta";
import { Parts } from "./parts";

const Prompt = lazy(() => import("./prompt").then(({ Prompt }) => ({ default: Prompt })));

interface Props {
  chat: string;
  id: string;
  isLast: boolean;
  /** The one that is being edited, if any. */
  isEdited: boolean;
  onEdit: (id: string | null) => void;
}

/** One message of a chat, with what can be done about it. */
export const ChatMessage = memo(function ChatMessage({ chat, id, isLast, isEdited, onEdit }: Props) {
  const t = useWords();
  const message = useThreads((state) => state.threads[chat]?.messages[id]);
  const live = useAnswers((state) => state.live[id]);
  const [isPromptShown, setPromptShown] = useState(false);
  if (!message) return null;
  const isUser = message.role === "user";
  const isLive = message.status === "generating";
  const parts = isLive && live ? live.parts : message.content;
  return (
    <article
      data-message={id}
      data-role={message.role}
      data-status={message.status}
      aria-label={t(isUser ? "chat.message.user" : "chat.message.assistant")}
      aria-busy={isLive}
      className={joined("group flex flex-col py-3", isUser && "items-end")}
    >
      {isUser ? null : (
        <MessageMeta message={message} isQueued={live?.isQueued ?? false} isLost={live?.isLost ?? false} />
      )}
      {isEdited ? (
        <EditMessage message={message} onDone={() => onEdit(null)} />
      ) : (
        <div
          data-content
          className={joined(
            "min-w-0 max-w-full",
            isUser ? "rounded-2xl bg-tint px-4 py-2.5" : "w-full",
            isLive && parts.length === 0 && "min-h-6",
          )}
        >
          <Parts parts={parts} isLive={isLive} isRich={!isUser} />
          {isLive && parts.length === 0 ? <Waiting isQueued={live?.isQueued ?? false} /> : null}
        </div>
      )}
      <MessageFault chat={chat} message={message} isLast={isLast} />
      {isEdited ? null : (
        <MessageActions
          chat={chat}
          message={message}
          onEdit={() => onEdit(id)}
          onPrompt={() => setPromptShown(true)}
        />
      )}
      {isPromptShown ? (
        <Suspense>
          <Prompt message={message} onClose={() => setPromptShown(false)} />
        </Suspense>
      ) : null}
    </article>
  );
});

function Waiting({ isQueued }: { isQueued: boolean }) {
  const t = useWords();
  return <p className="text-soft">{t(isQueued ? "chat.waiting.load" : "chat.waiting")}</p>;
}
