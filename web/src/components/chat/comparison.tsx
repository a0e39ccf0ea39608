import { Check } from "lucide-react";
import { Button } from "@/components/ui/button";
import { tallyOf, useBlind, useIsHidden, vote } from "@/stores/blind";
import { useThreads } from "@/stores/chat";
import { children, siblings } from "@/stores/chat-tree";
import { showBranch } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { ChatMessage } from "./message";
import { BlindName } from "./message-meta";

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
  const messages = useThreads((state) => state.threads[chat]?.messages);
  const answers = ids.flatMap((id) => messages?.[id] ?? []);
  const question = answers[0]?.parent_id ?? "";
  const isBlind = useIsHidden(question);
  const isOver = answers.every(({ status }) => status !== "generating");
  const models = answers.map(({ model }) => model ?? "");
  const choose = (id: string | null) => {
    if (isBlind) vote(question, { models, chosen: id === null ? null : (messages?.[id]?.model ?? null) });
    if (id !== null) void showBranch(chat, id);
  };
  return (
    <>
      <section
        data-comparison
        aria-label={t("chat.comparison")}
        tabIndex={0}
        className="-mx-2 flex snap-x gap-4 overflow-x-auto px-2"
      >
        {ids.map((id, place) => (
          <div
            key={id}
            className={`min-w-[min(18rem,80vw)] flex-1 snap-start rounded-2xl border px-3 ${id === shown && !isBlind ? "border-accent" : "border-line"}`}
          >
            <BlindName value={isBlind ? t("chat.blind.name", { letter: LETTERS[place] ?? place + 1 }) : null}>
              <ChatMessage chat={chat} id={id} isLast isEdited={edited === id} onEdit={onEdit} />
            </BlindName>
            {isBlind ? (
              <Button kind="quiet" className="mb-2" disabled={!isOver} onClick={() => choose(id)}>
                {t("chat.blind.better")}
              </Button>
            ) : (
              <Button kind="quiet" aria-pressed={id === shown} className="mb-2" onClick={() => choose(id)}>
                {id === shown ? <Check className="size-4" aria-hidden /> : null}
                {t(id === shown ? "chat.comparison.used" : "chat.comparison.use")}
              </Button>
            )}
          </div>
        ))}
      </section>
      {isBlind ? (
        <Button kind="quiet" className="mt-2 self-center" disabled={!isOver} onClick={() => choose(null)}>
          {t("chat.blind.equal")}
        </Button>
      ) : (
        <Tally models={models} />
      )}
    </>
  );
}

const LETTERS = "ABCD";

/** What was chosen between these models so far, while their names were hidden. */
function Tally({ models }: { models: readonly string[] }) {
  const t = useWords();
  const votes = useBlind((state) => state.votes);
  const told = Object.entries(tallyOf(votes, models)).map(([model, n]) =>
    model ? t("chat.blind.tally.one", { model, n }) : t("chat.blind.tally.equal", { n }),
  );
  if (told.length === 0) return null;
  return (
    <p role="status" data-tally className="mt-2 text-center text-sm text-soft">
      {t("chat.blind.tally", { tally: told.join(", ") })}
    </p>
  );
}
