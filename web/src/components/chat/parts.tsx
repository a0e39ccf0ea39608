import { Brain, FileText, Wrench } from "lucide-react";
import { memo, useState } from "react";
import { joined } from "@/components/ui/joined";
import type { AttachedPart, CallPart, Part, ReasoningPart } from "@/services/chat-shapes";
import { attachments } from "@/services/chats";
import { useChatPreferences } from "@/stores/chat-preferences";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { ApprovalCard } from "./approval-card";
import { CODE, Fold, pretty } from "./fold";
import { Picture } from "./picture";
import { Text } from "./text";
import { ToolResult } from "./tool-result";

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
  if (part.type === "tool_result") return <ToolResult part={part} />;
  return <Attached part={part} />;
});

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

function Call({ part }: { part: CallPart }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  if (part.approval) return <ApprovalCard part={part} approval={part.approval} />;
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

function Attached({ part }: { part: AttachedPart }) {
  const t = useWords();
  if (part.type === "document") return <Document part={part} />;
  const id = part.attachment_id;
  const load = () => attachments.content(id);
  const alt = part.name || t("chat.image");
  return <Picture id={id} load={load} alt={alt} gone={t("chat.image.gone")} className="h-48" />;
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
