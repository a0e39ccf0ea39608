import { Brain, ChevronRight, FileText, Wrench } from "lucide-react";
import { memo, type ReactNode, useEffect, useId, useState } from "react";
import { joined } from "@/components/ui/joined";
import type { AttachedPart, CallPart, Part, ReasoningPart, ResultPart } from "@/services/chat-shapes";
import { attachments } from "@/services/chats";
import { useChatPreferences } from "@/stores/chat-preferences";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Text } from "./text";

/** What a message holds, in its order. */
export function Parts({
  parts,
  isLive,
  isRich,
}: {
  parts: readonly Part[];
  isLive: boolean;
  isRich: boolean;
}) {
  return parts.map((part, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place, and new ones come at the end
    <OnePart key={place} part={part} isLive={isLive && place === parts.length - 1} isRich={isRich} />
  ));
}

const OnePart = memo(function OnePart({
  part,
  isLive,
  isRich,
}: {
  part: Part;
  isLive: boolean;
  isRich: boolean;
}) {
  if (part.type === "text") {
    if (isRich) return <Text text={part.text} isLive={isLive} />;
    return (
      <div dir="auto" className="break-words whitespace-pre-wrap">
        {part.text}
      </div>
    );
  }
  if (part.type === "reasoning") return <Thoughts part={part} isLive={isLive} />;
  if (part.type === "tool_call") return <Call part={part} />;
  if (part.type === "tool_result") return <Result part={part} />;
  return <Attached part={part} />;
});

function Fold({
  icon,
  title,
  isOpen,
  onToggle,
  children,
}: {
  icon: ReactNode;
  title: ReactNode;
  isOpen: boolean;
  onToggle: () => void;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <div className="my-2 rounded-xl border border-line">
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={onToggle}
        className="flex min-h-9 w-full items-center gap-2 px-3 text-start text-sm text-soft coarse:min-h-11 [&_svg]:size-4"
      >
        {icon}
        <span className="min-w-0 flex-1 truncate">{title}</span>
        <ChevronRight aria-hidden className={joined("transition-transform", isOpen && "rotate-90")} />
      </button>
      <div id={id} hidden={!isOpen} className="border-t border-line px-3 py-2">
        {isOpen ? children : null}
      </div>
    </div>
  );
}

/** What the model thought before it answered. Whether thoughts are open is one choice for all of them. */
function Thoughts({ part, isLive }: { part: ReasoningPart; isLive: boolean }) {
  const t = useWords();
  const { duration } = useAmounts();
  const { isThoughtOpen, set } = useChatPreferences();
  const told =
    part.duration_s === null
      ? t(isLive ? "chat.thinking" : "chat.thought")
      : t("chat.thought.for", { time: duration(part.duration_s) });
  return (
    <Fold
      icon={<Brain aria-hidden className={joined(isLive && "animate-pulse")} />}
      title={told}
      isOpen={isThoughtOpen}
      onToggle={() => set({ isThoughtOpen: !isThoughtOpen })}
    >
      <div dir="auto" className="text-sm break-words whitespace-pre-wrap text-soft">
        {part.text}
      </div>
    </Fold>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const CODE = "overflow-x-auto font-mono text-xs leading-relaxed whitespace-pre-wrap break-words";

function Call({ part }: { part: CallPart }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  return (
    <Fold
      icon={<Wrench aria-hidden />}
      title={t("chat.call", { name: part.name || "…" })}
      isOpen={isOpen}
      onToggle={() => setOpen(!isOpen)}
    >
      <pre className={CODE}>{pretty(part.arguments)}</pre>
    </Fold>
  );
}

function Result({ part }: { part: ResultPart }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  return (
    <Fold
      icon={<Wrench aria-hidden />}
      title={t(part.is_error ? "chat.result.failed" : "chat.result")}
      isOpen={isOpen}
      onToggle={() => setOpen(!isOpen)}
    >
      <pre className={joined(CODE, part.is_error && "text-danger")}>{pretty(part.output)}</pre>
    </Fold>
  );
}

function Attached({ part }: { part: AttachedPart }) {
  return part.type === "image" ? <Picture part={part} /> : <Document part={part} />;
}

function Picture({ part }: { part: AttachedPart }) {
  const t = useWords();
  const [source, setSource] = useState<string | null>(null);
  const [isGone, setGone] = useState(false);
  useEffect(() => {
    let made: string | null = null;
    let isHere = true;
    attachments.content(part.attachment_id).then(
      (url) => {
        if (!isHere) return URL.revokeObjectURL(url);
        made = url;
        setSource(url);
      },
      () => setGone(true),
    );
    return () => {
      isHere = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [part.attachment_id]);
  if (isGone) return <p className="text-sm text-soft">{t("chat.image.gone")}</p>;
  return (
    <img
      src={source ?? undefined}
      alt={part.name || t("chat.image")}
      className="my-2 h-48 max-w-full rounded-xl border border-line object-contain"
    />
  );
}

function Document({ part }: { part: AttachedPart }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState<string | null>(null);
  const toggle = () => {
    setOpen(!isOpen);
    if (text === null)
      attachments.text(part.attachment_id).then(setText, (fault: Error) => setText(fault.message));
  };
  return (
    <Fold
      icon={<FileText aria-hidden />}
      title={part.name || t("chat.document")}
      isOpen={isOpen}
      onToggle={toggle}
    >
      <pre className={joined(CODE, "max-h-80 overflow-y-auto")}>{text ?? t("state.loading")}</pre>
    </Fold>
  );
}
