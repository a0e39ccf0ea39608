import { useLocation } from "@tanstack/react-router";
import { ArrowDown } from "lucide-react";
import { type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { shownBranch, useThreads } from "@/stores/chat";
import { showBranch } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { Comparison, useCompared } from "./comparison";
import { ChatMessage } from "./message";
import { usePinned } from "./use-pinned";

/** As many as fill a screen, for a chat that is opened; the window grows when its reader comes near its beginning. */
const FIRST = 8;
const MOUNTED = 40;
const STEP = 20;
const NEAR = "600px";

interface Props {
  chat: string;
  edited: string | null;
  onEdit: (id: string | null) => void;
  /** Grows with each message that is sent here: its reader wants to see it. */
  sent: number;
  children?: ReactNode;
}

/** The messages of the shown branch; a window of them moves along with the reader. */
export function ThreadView({ chat, edited, onEdit, sent, children: foot }: Props) {
  const t = useWords();
  const thread = useThreads((state) => state.threads[chat]);
  const messages = thread?.messages;
  const leaf = thread?.chat.leaf_id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a branch is made of these two alone
  const ids = useMemo(() => (thread ? shownBranch(thread) : []), [messages, leaf]);
  const compared = useCompared(chat, ids.at(-1));
  const box = useRef<HTMLDivElement>(null);
  // Where the window ends; null is the newest message, however many come.
  const [until, setUntil] = useState<number | null>(null);
  const end = until === null ? ids.length : Math.min(until, ids.length);
  const [count, setCount] = useState(FIRST);
  const start = Math.max(0, end - count);
  const { isAway, toEnd, letGo } = usePinned(box, until === null);
  const held = useRef<{ id: string; top: number } | null>(null);

  const move = (to: number) => {
    held.current = firstSeen(box.current);
    if (count < MOUNTED) {
      setCount(MOUNTED);
      if (to < end) return;
    }
    const next = Math.max(Math.min(MOUNTED, ids.length), to);
    setUntil(next >= ids.length ? null : next);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is held stays in place when the window moves
  useLayoutEffect(() => {
    const before = held.current;
    held.current = null;
    const element = before && messageIn(box.current, before.id);
    if (element && box.current) box.current.scrollTop += element.getBoundingClientRect().top - before.top;
  }, [start, end]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each message that is sent is shown
  useLayoutEffect(() => {
    setUntil(null);
    toEnd();
  }, [sent, chat]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each chat begins with its last screen
  useLayoutEffect(() => setCount(FIRST), [chat]);

  const hash = useLocation().hash;
  const isThere = hash !== "" && messages?.[hash] !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: going to a message is done once for each address
  useEffect(() => {
    if (!isThere) return;
    const place = ids.indexOf(hash);
    if (place < 0) return showBranch(chat, hash);
    letGo();
    setCount(MOUNTED);
    setUntil(Math.min(ids.length, Math.max(MOUNTED, place + STEP)));
    requestAnimationFrame(() => {
      const element = messageIn(box.current, hash);
      element?.scrollIntoView({ block: "center" });
      element?.setAttribute("data-found", "");
    });
  }, [hash, isThere, ids.includes(hash)]);

  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={box}
        data-thread
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t("chat.thread")}
        className="h-full overflow-y-auto"
      >
        <div
          className={joined(
            "mx-auto flex min-h-full w-full flex-col px-4 pt-4 pb-6 sm:px-6",
            compared.length > 0 ? "max-w-6xl" : "max-w-3xl",
          )}
        >
          {start > 0 ? (
            <Edge box={box} key={`from-${start}`} label={t("chat.earlier")} onNear={() => move(end - STEP)} />
          ) : null}
          {ids
            .slice(start, end)
            .map((id, place) =>
              compared.includes(id) ? (
                <Comparison
                  key="compared"
                  chat={chat}
                  ids={compared}
                  shown={id}
                  edited={edited}
                  onEdit={onEdit}
                />
              ) : (
                <ChatMessage
                  key={id}
                  chat={chat}
                  id={id}
                  isLast={start + place === ids.length - 1}
                  isEdited={edited === id}
                  onEdit={onEdit}
                />
              ),
            )}
          {end < ids.length ? (
            <Edge box={box} key={`to-${end}`} label={t("chat.later")} onNear={() => move(end + STEP)} />
          ) : null}
          {foot}
        </div>
      </div>
      {isAway ? (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <Button
            className="pointer-events-auto rounded-full shadow-md"
            onClick={() => {
              setUntil(null);
              requestAnimationFrame(toEnd);
            }}
          >
            <ArrowDown className="size-4" aria-hidden />
            {t("chat.latest")}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

/** The end of the window: coming near moves it, and so does the button, by keyboard. */
function Edge({
  box,
  label,
  onNear,
}: {
  box: React.RefObject<HTMLElement | null>;
  label: string;
  onNear: () => void;
}) {
  const own = useRef<HTMLButtonElement>(null);
  const near = useRef(onNear);
  near.current = onNear;
  useEffect(() => {
    if (!own.current) return;
    const watching = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && near.current(),
      { root: box.current, rootMargin: `${NEAR} 0px` },
    );
    watching.observe(own.current);
    return () => watching.disconnect();
  }, [box]);
  return (
    <button ref={own} type="button" onClick={onNear} className="min-h-9 shrink-0 text-sm text-soft">
      {label}
    </button>
  );
}

function messageIn(box: HTMLElement | null, id: string): HTMLElement | null {
  return box?.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`) ?? null;
}

/** The first message that reaches into view, and where it stands. */
function firstSeen(box: HTMLElement | null): { id: string; top: number } | null {
  if (!box) return null;
  const above = box.getBoundingClientRect().top;
  for (const element of box.querySelectorAll<HTMLElement>("[data-message]")) {
    const { top, bottom } = element.getBoundingClientRect();
    if (bottom > above) return { id: element.dataset.message ?? "", top };
  }
  return null;
}
