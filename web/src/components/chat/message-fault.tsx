import { type ReactNode, useContext } from "react";
import { Button } from "@/components/ui/button";
import type { Message } from "@/services/chat-shapes";
import { useIsHidden } from "@/stores/blind";
import { TEMPORARY, useThreads } from "@/stores/chat";
import { askAgain, continueAnswer, regenerate } from "@/stores/chat-send";
import { children } from "@/stores/chat-tree";
import { type Key, useWords } from "@/words";
import { AnsweringModel } from "./use-models";

const ADVICE: Record<string, Key> = {
  context_length_exceeded: "chat.fault.context",
  engine_unreachable: "chat.fault.engine",
  engine_failed_to_start: "chat.fault.engine",
  server_error: "chat.fault.engine",
  model_not_found: "chat.fault.model",
  model_unusable: "chat.fault.model",
  model_too_large: "chat.fault.memory",
  engine_unavailable: "chat.fault.memory",
};

interface Props {
  chat: string;
  message: Message;
  isLast: boolean;
}

/** What went wrong with a message or kept it from its end, and what can be done about it. */
export function MessageFault({ chat, message, isLast }: Props) {
  const t = useWords();
  const model = useContext(AnsweringModel);
  const isHidden = useIsHidden(message.parent_id);
  const unsent = useThreads((state) => state.threads[chat]?.unsent[message.id]);
  const isUnanswered = useThreads((state) => {
    const thread = state.threads[chat];
    return (
      message.role === "user" && isLast && thread !== undefined && !children(thread.messages).has(message.id)
    );
  });
  const again = () => model && askAgain(chat, message.id, [model]);
  const anew = () => void regenerate(chat, message.id, message.model ?? model ?? "");
  const goOn = () => void continueAnswer(chat, message.id);
  if (unsent) {
    const { fault, models } = unsent;
    const said = fault instanceof Error ? fault.message : String(fault);
    return (
      <Told words={said === "unreachable" ? t("chat.fault.unsent") : said}>
        <Button onClick={() => askAgain(chat, message.id, models)}>{t("act.retry")}</Button>
      </Told>
    );
  }
  if (isUnanswered && message.revision >= 0)
    return (
      <div className="mt-1 flex items-center gap-2 text-sm text-soft">
        {t("chat.unanswered")}
        <Button onClick={again}>{t("chat.answer")}</Button>
      </div>
    );
  if (message.role !== "assistant") return null;
  const canGoOn = chat !== TEMPORARY && message.content.length > 0;
  if (message.status === "failed") {
    // Why it failed may tell which model it was.
    if (isHidden) return <Told words={t("chat.failed")}>{null}</Told>;
    const advice = ADVICE[message.error?.code ?? ""];
    return (
      <Told words={message.error?.message ?? t("chat.failed")} advice={advice ? t(advice) : undefined}>
        <Button onClick={anew}>{t("act.retry")}</Button>
        {canGoOn ? <Button onClick={goOn}>{t("chat.continue")}</Button> : null}
      </Told>
    );
  }
  if (message.status !== "stopped" && message.status !== "cut") return null;
  return (
    <div className="mt-1 flex flex-wrap items-center gap-2 text-sm text-soft">
      {t(message.status === "cut" ? "chat.cut" : "chat.stopped")}
      {isLast && canGoOn ? <Button onClick={goOn}>{t("chat.continue")}</Button> : null}
    </div>
  );
}

function Told({
  words,
  advice,
  children: buttons,
}: {
  words: string;
  advice?: string | undefined;
  children: ReactNode;
}) {
  return (
    <div
      role="alert"
      className="mt-1 flex max-w-full flex-wrap items-center gap-2 rounded-xl border border-danger px-3 py-2 text-sm"
    >
      <div className="min-w-0 flex-1">
        <p className="break-words text-danger">{words}</p>
        {advice ? <p className="text-soft">{advice}</p> : null}
      </div>
      {buttons}
    </div>
  );
}
