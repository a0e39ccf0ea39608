import { useLocation } from "@tanstack/react-router";
import { ArrowDown } from "lucide-react";
import { type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { shownBranch, useThreads } from "@/stores/chat";
import { type Messages, textOf } from "@/stores/chat-tree";
import { showBranch } from "@/stores/chat-tree-deeds";
import { useWords } from "@/words";
import { Comparison, useCompared } from "./comparison";
import { ChatMessage } from "./message";
import { usePinned } from "./use-pinned";

/** As much as fills a screen, for a chat that is opened; the window grows when its reader comes near its beginning. */
const FIRST_CHARACTERS = 3_500;
/** What a message takes beside its text, in characters. */
const FRAME_CHARACTERS = 150;
const MOUNTED = 40;
const STEP = 6;
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
  // Where the window begins at most, and where it ends; null is the newest message, however many come.
  const [from, setFrom] = useState(() => Math.max(0, ids.length - filling(ids, messages)));
  const [wanted, setUntil] = useState<number | null>(null);
  const until = wanted !== null && wanted < ids.length ? wanted : null;
  const end = until ?? ids.length;
  const start = Math.max(0, Math.min(from, end - 1), end - MOUNTED);
  const { isAway, toEnd, letGo } = usePinned(box, until === null);
  const held = useRef<{ id: string; top: number } | null>(null);
  const reach = () => {
    const element = goal.current === null ? null : messageIn(box.current, goal.current);
    if (!element) return;
    goal.current = null;
    element.scrollIntoView({ block: "center" });
    element.setAttribute("data-found", "");
  };
  // The message that is gone to, until it is there.
  const goal = useRef<string | null>(null);
  // Where the last address led: the reader who goes on from there is not called back.
  const gone = useRef("");
  const seen = useRef(sent);

  const show = (begin: number, close: number) => {
    // What is gone to decides; the edge that is near now will not be there.
    if (goal.current !== null) return;
    held.current = firstSeen(box.current);
    setFrom(begin);
    setUntil(close >= ids.length ? null : close);
  };
  const earlier = () => {
    const begin = Math.max(0, start - STEP);
    show(begin, Math.min(end, begin + MOUNTED));
  };
  const later = () => show(Math.max(start, end + STEP - MOUNTED), end + STEP);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is held stays in place when the window moves
  useLayoutEffect(() => {
    const before = held.current;
    held.current = null;
    const element = before && messageIn(box.current, before.id);
    if (element && box.current) box.current.scrollTop += element.getBoundingClientRect().top - before.top;
    reach();
  }, [start, end]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each message that is sent is shown
  useLayoutEffect(() => {
    setUntil(null);
    toEnd();
    if (seen.current === sent) return;
    seen.current = sent;
    // Once more when the window has come to its end.
    const frame = requestAnimationFrame(toEnd);
    return () => cancelAnimationFrame(frame);
  }, [sent]);

  const { hash, state } = useLocation();
  const isThere = hash !== "" && messages?.[hash] !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: going to a message is done once for each address
  useEffect(() => {
    const going = `${hash} ${state.__TSR_key}`;
    if (!isThere || gone.current === going) return;
    const place = ids.indexOf(hash);
    if (place < 0) return showBranch(chat, hash);
    letGo();
    const begin = Math.max(0, Math.min(place - MOUNTED / 2, ids.length - MOUNTED));
    setFrom(begin);
    setUntil(begin + MOUNTED >= ids.length ? null : begin + MOUNTED);
    gone.current = going;
    goal.current = hash;
    reach();
  }, [hash, state.__TSR_key, isThere, ids.includes(hash)]);

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
            <Edge box={box} key={`from-${start}`} label={t("chat.earlier")} onNear={earlier} />
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
            <Edge box={box} key={`to-${end}`} label={t("chat.later")} onNear={later} />
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

/** How many of the last messages fill a screen; the whole window for a chat that does not. */
function filling(ids: readonly string[], messages: Messages = {}): number {
  let left = FIRST_CHARACTERS;
  for (let count = 1; count < Math.min(MOUNTED, ids.length); count += 1) {
    left -= FRAME_CHARACTERS + textOf(messages[ids.at(-count) ?? ""]?.content ?? []).length;
    if (left <= 0) return count;
  }
  return MOUNTED;
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
