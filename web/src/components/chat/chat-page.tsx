import { lazy, Suspense, useEffect, useState } from "react";
import { isComposing } from "@/components/shell/shortcuts";
import { Empty, Fault, Loading } from "@/components/ui/pieces";
import { watchBlind } from "@/stores/blind";
import { NEW, shownBranch, TEMPORARY, threadOf, useThreads } from "@/stores/chat";
import { openThread } from "@/stores/chat-answers";
import { forgetBeside, useBeside } from "@/stores/chat-beside";
import { queue, recallDraft, type Typed, takeQueued, useDrafts } from "@/stores/chat-drafts";
import { onChange } from "@/stores/chat-events";
import { useChatPreferences } from "@/stores/chat-preferences";
import { sendMessage, stopAnswers } from "@/stores/chat-send";
import { useWords } from "@/words";
import { Composer } from "./composer";
import { ContextWarning } from "./context-meter";
import { ChatHeader } from "./header";
import { LiveRegion } from "./live-region";
import { ModelPicker } from "./model-picker";
import { preloadText, useTextHere } from "./text";
import { ThreadView } from "./thread";
import { AnsweringModel, useChatModels, useModel } from "./use-models";

const Panel = lazy(() => import("./panel").then(({ Panel }) => ({ default: Panel })));

interface Props {
  chat: string;
  onTemporary: (isOn: boolean) => void;
  /** The chat that was not there yet has its id. */
  onBegun: (id: string) => void;
}

/** A chat: its messages, the field to write in, and beside it how answers are made. */
export function ChatPage({ chat, onTemporary, onBegun }: Props) {
  const t = useWords();
  const load = useThreads((state) => state.threads[chat]?.load ?? "loading");
  const fault = useThreads((state) => state.threads[chat]?.fault);
  const isTextHere = useTextHere(load === "loading");
  const isEmpty = useThreads((state) => Object.keys(state.threads[chat]?.messages ?? {}).length === 0);
  const isGenerating = useThreads((state) =>
    Object.values(state.threads[chat]?.messages ?? {}).some(({ status }) => status === "generating"),
  );
  const title = useThreads((state) => state.threads[chat]?.chat.title ?? null);
  const isPanelShown = useChatPreferences((state) => state.isPanelShown);
  const model = useModel(chat);
  const { isHere, fault: unlisted } = useChatModels(true);
  // What another place wants a new chat to be answered by; it is theirs once they are sent something.
  const [others, setOthers] = useState<string[]>(() => (chat === NEW ? useBeside.getState().models : []));
  const [edited, setEdited] = useState<string | null>(null);
  const [sent, setSent] = useState(0);

  useEffect(() => onChange(() => undefined), []);
  useEffect(watchBlind, []);
  useEffect(preloadText, []);
  useEffect(() => {
    const opened = chat === NEW || chat === TEMPORARY ? Promise.resolve() : openThread(chat);
    void opened.then(() => recallDraft(chat));
  }, [chat]);
  useEffect(() => {
    document.title = title ? `${title} – paddock` : "paddock";
    return () => {
      document.title = "paddock";
    };
  }, [title]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || isComposing(event)) return;
      stopAnswers(chat);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [chat]);

  const send = ({ text, attached }: Typed) => {
    // Whoever is faster than the list of models need not send again.
    if (!model) return queue(chat, { text, attached });
    const files = attached.map(({ id, kind, name }) => ({ type: kind, attachment_id: id, name }) as const);
    const parts = [...files, ...(text.trim() ? [{ type: "text", text } as const] : [])];
    const { isBlind } = useChatPreferences.getState();
    const made = sendMessage(chat, { parts, models: [model.id, ...others], isBlind });
    setSent((count) => count + 1);
    setOthers([]);
    forgetBeside();
    if (made !== chat) onBegun(made);
  };
  useQueue(chat, isGenerating || model === null, send);
  const editLast = () => {
    const thread = threadOf(chat);
    const last = shownBranch(thread).findLast((id) => thread.messages[id]?.role === "user");
    if (last) setEdited(last);
  };
  const refusal =
    load !== "ready"
      ? t("state.loading")
      : !model && isHere
        ? t("chat.model.missing")
        : !model && unlisted
          ? t("chat.model.unlisted")
          : null;
  return (
    <div className="flex h-full min-h-0">
      <div className="flex min-w-0 flex-1 flex-col">
        <ChatHeader chat={chat} onTemporary={onTemporary} />
        {load === "failed" ? (
          <div className="flex-1 p-6">
            <Fault error={fault} onRetry={() => void openThread(chat, true)} />
          </div>
        ) : load === "missing" ? (
          <div className="flex-1 p-6">
            <Empty>{t("chat.missing")}</Empty>
          </div>
        ) : load === "loading" || !isTextHere ? (
          <div className="flex-1">
            <Loading />
          </div>
        ) : isEmpty ? (
          <Welcome isTemporary={chat === TEMPORARY} />
        ) : (
          <AnsweringModel value={model?.id ?? null}>
            <ThreadView key={chat} chat={chat} edited={edited} onEdit={setEdited} sent={sent} />
          </AnsweringModel>
        )}
        <ContextWarning chat={chat} />
        <Composer
          chat={chat}
          isGenerating={isGenerating}
          refusal={refusal}
          onSend={send}
          onStop={() => stopAnswers(chat)}
          onEditLast={editLast}
        >
          <ModelPicker chat={chat} others={others} onOthers={setOthers} />
        </Composer>
        <LiveRegion chat={chat} isGenerating={isGenerating} />
      </div>
      {isPanelShown ? (
        <Suspense>
          <Panel chat={chat} />
        </Suspense>
      ) : null}
    </div>
  );
}

function Welcome({ isTemporary }: { isTemporary: boolean }) {
  const t = useWords();
  return (
    <div className="flex min-h-0 flex-1 flex-col items-center justify-center gap-2 px-6 text-center">
      <h1 className="text-2xl font-semibold tracking-tight">{t("chat.welcome")}</h1>
      <p className="max-w-prose text-soft">
        {t(isTemporary ? "chat.temporary.about" : "chat.welcome.about")}
      </p>
    </div>
  );
}

/** Send what waits as soon as the answer before it is there; after a failure it goes on waiting. */
function useQueue(chat: string, isBusy: boolean, send: (typed: Typed) => void): void {
  const isWaiting = useDrafts((state) => state.queued[chat] !== undefined);
  const isReady = useThreads((state) => state.threads[chat]?.load === "ready");
  // biome-ignore lint/correctness/useExhaustiveDependencies: sent once, when the answer ends
  useEffect(() => {
    if (!isWaiting || isBusy || !isReady) return;
    const thread = threadOf(chat);
    const last = thread.messages[shownBranch(thread).at(-1) ?? ""];
    if (last && (last.status === "failed" || thread.unsent[last.id])) return;
    const waiting = takeQueued(chat);
    if (waiting) send(waiting);
  }, [isWaiting, isBusy, isReady]);
}
