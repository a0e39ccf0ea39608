import { useEffect, useRef, useState } from "react";
import { shownBranch, threadOf } from "@/stores/chat";
import { useAnswers } from "@/stores/chat-answers";
import { useChatPreferences } from "@/stores/chat-preferences";
import { textOf } from "@/stores/chat-tree";
import { useWords } from "@/words";
import { sentences } from "./sentences";

const READ_EACH_MS = 1_000;
const KEPT = 30;

/** What a screen reader is told: that an answer is being made, that it is there, and, if wanted, what it says. */
export function LiveRegion({ chat, isGenerating }: { chat: string; isGenerating: boolean }) {
  const t = useWords();
  const isReadOut = useChatPreferences((state) => state.isReadOut);
  const [state, setState] = useState<"" | "generating" | "done">("");
  const [read, setRead] = useState<{ n: number; text: string }[]>([]);
  const told = useRef(0);
  const was = useRef(false);

  useEffect(() => {
    if (isGenerating === was.current) return;
    was.current = isGenerating;
    if (isGenerating) {
      told.current = 0;
      setRead([]);
    }
    setState(isGenerating ? "generating" : "done");
  }, [isGenerating]);

  useEffect(() => {
    if (!isReadOut || state === "") return;
    const next = () => {
      const thread = threadOf(chat);
      const message = thread.messages[shownBranch(thread).at(-1) ?? ""];
      if (message?.role !== "assistant") return;
      const isOver = message.status !== "generating";
      const text = textOf(isOver ? message.content : (useAnswers.getState().live[message.id]?.parts ?? []));
      const found = sentences(text.slice(told.current), isOver);
      if (found.length === 0) return;
      const from = told.current;
      told.current += found.join("").length;
      const rows = found.map((one, place) => ({ n: from + place, text: one }));
      setRead((before) => [...before, ...rows].slice(-KEPT));
    };
    next();
    if (state === "done") return;
    const timer = setInterval(next, READ_EACH_MS);
    return () => clearInterval(timer);
  }, [chat, isReadOut, state]);

  return (
    <div className="sr-only">
      <p role="status" data-live-state={state}>
        {state === "generating" ? t("chat.live.generating") : state === "done" ? t("chat.live.done") : ""}
      </p>
      <div role="log" aria-live="polite" aria-label={t("chat.live.answer")} data-live-read>
        {read.map(({ n, text }) => (
          <p key={n}>{text}</p>
        ))}
      </div>
    </div>
  );
}
