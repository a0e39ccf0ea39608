import { useNavigate } from "@tanstack/react-router";
import {
  ChevronLeft,
  ChevronRight,
  Ellipsis,
  FileCode,
  GitFork,
  Pencil,
  Play,
  RefreshCw,
  Trash2,
} from "lucide-react";
import { startTransition, useContext, useEffect, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Menu, type MenuEntry } from "@/components/ui/menu";
import { CopyButton } from "@/components/ui/pieces";
import type { Message } from "@/services/chat-shapes";
import { useIsHidden } from "@/stores/blind";
import { isKept, TEMPORARY, useThreads } from "@/stores/chat";
import { continueAnswer, regenerate } from "@/stores/chat-send";
import { siblings, textOf } from "@/stores/chat-tree";
import { deleteMessage, forkChat, showBranch } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { AnsweringModel } from "./use-models";

interface Props {
  chat: string;
  message: Message;
  onEdit: () => void;
  onPrompt: () => void;
}

/** What can be done about a message. Always in view: a finger cannot hover. The message itself is painted before it. */
export function MessageActions(props: Props) {
  const [isPainted, setPainted] = useState(false);
  useEffect(() => {
    const frame = requestAnimationFrame(() => startTransition(() => setPainted(true)));
    return () => cancelAnimationFrame(frame);
  }, []);
  return (
    <div className="mt-1 -mx-2 flex min-h-9 flex-wrap items-center text-soft coarse:min-h-11">
      {isPainted ? <Deeds {...props} /> : null}
    </div>
  );
}

function Deeds({ chat, message, onEdit, onPrompt }: Props) {
  const t = useWords();
  const navigate = useNavigate();
  const model = useContext(AnsweringModel);
  const beside = useThreads((state) => siblings(state.threads[chat]?.messages ?? {}, message.id).join(" "));
  const isMaking = message.status === "generating";
  const isUser = message.role === "user";
  const kept = isKept(chat);
  const isHidden = useIsHidden(message.parent_id) && !isUser;
  const fork = () =>
    void forkChat(chat, message.id).then((id) => (id ? navigate({ to: "/chat/$id", params: { id } }) : null));
  const remove = () =>
    void deleteMessage(chat, message.id, { done: t("chat.deleted.message"), undo: t("act.undo") });
  const entries: (MenuEntry | null)[] = [];
  if (!isUser && kept && !isMaking && message.content.length > 0)
    entries.push({
      label: t("chat.continue"),
      icon: <Play />,
      run: () => void continueAnswer(chat, message.id),
    });
  if (kept) entries.push({ label: t("chat.fork"), icon: <GitFork />, run: fork, isDisabled: isMaking });
  if (!isUser) entries.push({ label: t("chat.prompt"), icon: <FileCode />, run: onPrompt });
  if (entries.length > 0) entries.push(null);
  entries.push({ label: t("act.delete"), icon: <Trash2 />, run: remove, isDangerous: true });
  return (
    <>
      <Beside chat={chat} id={message.id} ids={beside.split(" ")} />
      {isMaking ? null : (
        <>
          <CopyButton text={() => textOf(message.content)} label={t("chat.copy")} />
          {chat === TEMPORARY && !isUser ? null : (
            <IconButton label={t("chat.edit")} onClick={onEdit}>
              <Pencil />
            </IconButton>
          )}
          {isUser || isHidden ? null : (
            <IconButton
              label={t("chat.regenerate")}
              onClick={() => void regenerate(chat, message.id, model ?? message.model ?? "")}
            >
              <RefreshCw />
            </IconButton>
          )}
          {isHidden ? null : (
            <Menu
              trigger={
                <IconButton label={t("act.more")}>
                  <Ellipsis />
                </IconButton>
              }
              entries={entries}
            />
          )}
        </>
      )}
    </>
  );
}

/** Which of the messages in this place is shown, and how the others are reached. */
function Beside({ chat, id, ids }: { chat: string; id: string; ids: string[] }) {
  const t = useWords();
  if (ids.length < 2) return null;
  const at = ids.indexOf(id);
  const go = (place: number) => {
    const next = ids[place];
    if (next) showBranch(chat, next);
  };
  return (
    <fieldset className="flex items-center text-sm" aria-label={t("chat.branches")}>
      <IconButton label={t("chat.branch.before")} disabled={at === 0} onClick={() => go(at - 1)}>
        <ChevronLeft className="rtl:rotate-180" />
      </IconButton>
      <span data-branch className="tabular-nums">
        {t("chat.branch", { n: at + 1, all: ids.length })}
      </span>
      <IconButton label={t("chat.branch.after")} disabled={at === ids.length - 1} onClick={() => go(at + 1)}>
        <ChevronRight className="rtl:rotate-180" />
      </IconButton>
    </fieldset>
  );
}
