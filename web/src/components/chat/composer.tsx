import { ArrowUp, Camera, Clock, FileText, Image, Paperclip, Pencil, Square, X } from "lucide-react";
import { type ClipboardEvent, type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { isComposing } from "@/components/shell/shortcuts";
import { IconButton } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import {
  type Attached,
  attach,
  EMPTY,
  queue,
  type Typed,
  type as typed,
  useDrafts,
} from "@/stores/chat-drafts";
import { usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";

/** A longer text that is pasted becomes a file. */
const PASTED_MOST_CHARACTERS = 6_000;

interface Props {
  chat: string;
  isGenerating: boolean;
  /** Why nothing can be sent now, such as that no model is here. */
  refusal: string | null;
  onSend: (typed: Typed) => void;
  onStop: () => void;
  onEditLast: () => void;
  children?: ReactNode;
}

/** The field in which a message is written. */
export function Composer({ chat, isGenerating, refusal, onSend, onStop, onEditLast, children }: Props) {
  const t = useWords();
  const draft = useDrafts((state) => state.drafts[chat] ?? EMPTY);
  const queued = useDrafts((state) => state.queued[chat]);
  const isEnterSending = usePreferences((state) => state.isEnterSending);
  const field = useRef<HTMLTextAreaElement>(null);
  const [isDropping, setDropping] = useState(false);
  const isReady = draft.attached.every((one) => one.isReady);
  const isEmpty = draft.text.trim() === "" && draft.attached.length === 0;
  const canSend = !isEmpty && isReady && refusal === null;

  useEffect(() => {
    // A keyboard that covers half of a phone opens when it is wanted.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus({ preventScroll: true });
  }, []);
  useGrowing(field, draft.text);

  const send = () => {
    if (!canSend) return;
    if (isGenerating) queue(chat, joinedWith(queued, draft));
    else onSend(draft);
    typed(chat, EMPTY);
  };
  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (isComposing(event.nativeEvent)) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && !event.shiftKey && (isEnterSending || isCommand)) {
      event.preventDefault();
      send();
    }
    if (event.key === "ArrowUp" && isEmpty) {
      event.preventDefault();
      onEditLast();
    }
  };
  const pasted = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain");
    if (files.length === 0 && text.length <= PASTED_MOST_CHARACTERS) return;
    event.preventDefault();
    const name = t("chat.pasted.name");
    void attach(chat, files.length > 0 ? files : [new File([text], name, { type: "text/plain" })]);
  };
  return (
    <div className="mx-auto w-full max-w-3xl px-3 pb-3 sm:px-6 sm:pb-4">
      {queued ? <Queued chat={chat} queued={queued} /> : null}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: files can be picked by a button as well */}
      <div
        onDragOver={(event) => {
          event.preventDefault();
          setDropping(true);
        }}
        onDragLeave={() => setDropping(false)}
        onDrop={(event) => {
          event.preventDefault();
          setDropping(false);
          void attach(chat, [...event.dataTransfer.files]);
        }}
        className={joined(
          "rounded-2xl border bg-raised focus-within:border-accent",
          isDropping ? "border-accent bg-tint" : "border-line",
        )}
      >
        <Files chat={chat} attached={draft.attached} />
        <textarea
          ref={field}
          data-composer
          dir="auto"
          rows={1}
          aria-label={t("chat.composer")}
          placeholder={t("chat.composer")}
          enterKeyHint={isEnterSending ? "send" : "enter"}
          value={draft.text}
          onChange={(event) => typed(chat, { text: event.target.value })}
          onKeyDown={pressed}
          onPaste={pasted}
          className="field-sizing-content block max-h-[40dvh] min-h-11 w-full resize-none overflow-y-auto bg-transparent px-4 pt-3 pb-1 outline-none"
        />
        <div className="flex flex-wrap items-center gap-1 px-2 pb-2">
          <Picker chat={chat} />
          {children}
          <span className="flex-1" />
          {isGenerating ? (
            <IconButton kind="plain" label={t("chat.stop")} shortcut="Esc" onClick={onStop}>
              <Square className="fill-current" />
            </IconButton>
          ) : null}
          {isGenerating && isEmpty ? null : (
            <IconButton
              kind="strong"
              label={t(isGenerating ? "chat.queue" : "chat.send")}
              disabled={!canSend}
              onClick={send}
            >
              {isGenerating ? <Clock /> : <ArrowUp />}
            </IconButton>
          )}
        </div>
      </div>
      {refusal && !isEmpty ? <p className="px-4 pt-1 text-sm text-soft">{refusal}</p> : null}
    </div>
  );
}

/** Make a field as high as its text where the browser does not do so by itself. */
function useGrowing(field: React.RefObject<HTMLTextAreaElement | null>, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: its height follows its text
  useEffect(() => {
    const area = field.current;
    if (!area || CSS.supports("field-sizing", "content")) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text]);
}

function joinedWith(first: Typed | undefined, second: Typed): Typed {
  if (!first) return second;
  return { text: `${first.text}\n\n${second.text}`, attached: [...first.attached, ...second.attached] };
}

function Queued({ chat, queued }: { chat: string; queued: Typed }) {
  const t = useWords();
  const edit = () => {
    const draft = useDrafts.getState().drafts[chat] ?? EMPTY;
    typed(chat, draft.text || draft.attached.length > 0 ? joinedWith(queued, draft) : queued);
    queue(chat, null);
  };
  return (
    <div
      data-queued
      className="mb-2 flex items-center gap-2 rounded-xl border border-dashed border-line px-3 py-1 text-sm"
    >
      <Clock className="size-4 shrink-0 text-soft" aria-hidden />
      <span className="min-w-0 flex-1 truncate">{t("chat.queued.message", { text: queued.text })}</span>
      <IconButton label={t("chat.queued.edit")} onClick={edit}>
        <Pencil />
      </IconButton>
      <IconButton label={t("chat.queued.remove")} onClick={() => queue(chat, null)}>
        <X />
      </IconButton>
    </div>
  );
}

function Files({ chat, attached }: { chat: string; attached: readonly Attached[] }) {
  const t = useWords();
  if (attached.length === 0) return null;
  const remove = (id: string) => typed(chat, { attached: attached.filter((one) => one.id !== id) });
  return (
    <ul aria-label={t("chat.attached")} className="flex flex-wrap gap-2 px-3 pt-3">
      {attached.map((one) => (
        <li
          key={one.id}
          data-attached={one.isReady ? "ready" : "coming"}
          className="flex max-w-full items-center gap-1 rounded-lg border border-line ps-2 text-sm"
        >
          {one.kind === "image" ? (
            <Image className="size-4 text-soft" aria-hidden />
          ) : (
            <FileText className="size-4 text-soft" aria-hidden />
          )}
          <span className={joined("min-w-0 truncate", !one.isReady && "text-soft italic")}>{one.name}</span>
          <IconButton label={t("chat.attached.remove", { name: one.name })} onClick={() => remove(one.id)}>
            <X />
          </IconButton>
        </li>
      ))}
    </ul>
  );
}

function Picker({ chat }: { chat: string }) {
  const t = useWords();
  const files = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const take = (input: HTMLInputElement) => {
    void attach(chat, [...(input.files ?? [])]);
    input.value = "";
  };
  const hidden = { type: "file", hidden: true, "aria-hidden": true, tabIndex: -1 } as const;
  return (
    <>
      <input ref={files} {...hidden} data-files multiple onChange={(event) => take(event.target)} />
      <input
        ref={camera}
        {...hidden}
        data-camera
        accept="image/*"
        capture="environment"
        onChange={(event) => take(event.target)}
      />
      <IconButton label={t("chat.attach")} onClick={() => files.current?.click()}>
        <Paperclip />
      </IconButton>
      <span className="hidden coarse:block">
        <IconButton label={t("chat.camera")} onClick={() => camera.current?.click()}>
          <Camera />
        </IconButton>
      </span>
    </>
  );
}
