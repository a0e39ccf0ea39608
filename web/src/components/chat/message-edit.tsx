import { useContext, useEffect, useRef, useState } from "react";
import { isComposing } from "@/components/shell/shortcuts";
import { Button } from "@/components/ui/button";
import type { Message } from "@/services/chat-shapes";
import { sendMessage } from "@/stores/chat-send";
import { textOf } from "@/stores/chat-tree";
import { editAnswer, withText } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { AnsweringModel } from "./use-models";

/** The text of a message as a field. A message of the user gets a sibling that is answered; an answer changes in place. */
export function EditMessage({ message, onDone }: { message: Message; onDone: () => void }) {
  const t = useWords();
  const model = useContext(AnsweringModel);
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => textOf(message.content));
  const isUser = message.role === "user";
  useEffect(() => {
    const area = field.current;
    if (!area) return;
    area.focus({ preventScroll: true });
    area.setSelectionRange(area.value.length, area.value.length);
    area.scrollTop = area.scrollHeight;
    area.scrollIntoView({ block: "nearest" });
  }, []);
  const canSave = text.trim() !== "" && (!isUser || model !== null);
  const save = () => {
    if (!canSave) return;
    const parts = withText(message.content, text);
    if (!isUser) void editAnswer(message, parts);
    else if (model) sendMessage(message.chat_id, { parts, parent: message.parent_id, models: [model] });
    onDone();
  };
  return (
    <div className="flex w-full flex-col gap-2">
      <textarea
        ref={field}
        dir="auto"
        aria-label={t("chat.edit.label")}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (isComposing(event.nativeEvent)) return;
          if (event.key === "Escape") {
            event.preventDefault();
            onDone();
          }
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
        }}
        // Its own scrolling keeps the caret in view; the page around it stays where it is.
        className="field-sizing-content max-h-[50dvh] min-h-20 w-full resize-y overflow-y-auto rounded-xl border border-line bg-raised px-3 py-2"
      />
      <div className="flex flex-wrap items-center justify-end gap-2">
        <span className="flex-1 text-xs text-soft">
          {t(isUser ? "chat.edit.user" : "chat.edit.assistant")}
        </span>
        <Button kind="quiet" onClick={onDone}>
          {t("act.cancel")}
        </Button>
        <Button kind="strong" disabled={!canSave} onClick={save}>
          {t(isUser ? "chat.send" : "act.save")}
        </Button>
      </div>
    </div>
  );
}
