import { useLocation, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { ChatPage } from "@/components/chat/chat-page";
import { loadText } from "@/components/chat/text";
import { NEW, TEMPORARY } from "@/stores/chat";
import { openThread } from "@/stores/chat-answers";
import { forgetTemporary } from "@/stores/chat-temporary";

// A chat that is gone to by its address is read, with what shows its text, while the page around it is drawn.
const asked = /^\/chat\/([\w-]+)$/.exec(location.pathname)?.[1];
if (asked) void Promise.all([openThread(asked), loadText()]);

/** What is sent is painted before its address follows, which takes longer. */
const ADDRESS_AFTER_MS = 50;

interface Begun {
  id: string | null;
  /** Whether the address is that chat's by now. */
  isArrived: boolean;
  count: number;
}

/** A chat by its address, and the one that is not there yet; what is begun there stays on the screen as it becomes one. */
export function ChatRoute() {
  const { id } = useParams({ strict: false });
  const navigate = useNavigate();
  const [isTemporary, setTemporary] = useState(false);
  // Each new chat that is asked for is one, also where a temporary one stands at the same address.
  const visit = useLocation({ select: ({ state }) => state.__TSR_key });
  const [visited, setVisited] = useState(visit);
  if (visit !== visited) {
    setVisited(visit);
    setTemporary(false);
  }
  useEffect(() => {
    if (!isTemporary) return;
    return forgetTemporary;
  }, [isTemporary]);
  const [begun, setBegun] = useState<Begun>({ id: null, isArrived: false, count: 0 });
  if (begun.id !== null) {
    if (id === begun.id && !begun.isArrived) setBegun({ ...begun, isArrived: true });
    const isLeft = id !== begun.id && (begun.isArrived || id !== undefined);
    if (isLeft) setBegun({ id: null, isArrived: false, count: begun.count + 1 });
  }
  const made = begun.isArrived ? null : begun.id;
  useEffect(() => {
    if (made === null) return;
    const timer = setTimeout(
      () => void navigate({ to: "/chat/$id", params: { id: made } }),
      ADDRESS_AFTER_MS,
    );
    return () => clearTimeout(timer);
  }, [made, navigate]);
  const chat = id ?? begun.id ?? (isTemporary ? TEMPORARY : NEW);
  return (
    <ChatPage
      key={chat === NEW || chat === begun.id ? `${NEW} ${begun.count}` : chat}
      chat={chat}
      onTemporary={setTemporary}
      onBegun={(chat) => setBegun({ ...begun, id: chat, isArrived: false })}
    />
  );
}
