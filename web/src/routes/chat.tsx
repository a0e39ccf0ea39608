import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { ChatPage } from "@/components/chat/chat-page";
import { loadText } from "@/components/chat/text";
import { NEW, TEMPORARY } from "@/stores/chat";
import { openThread } from "@/stores/chat-answers";

// A chat that is gone to by its address is read, with what shows its text, while the page around it is drawn.
const asked = /^\/chat\/([\w-]+)$/.exec(location.pathname)?.[1];
if (asked) void Promise.all([openThread(asked), loadText()]);

export function NewChatRoute() {
  const [isTemporary, setTemporary] = useState(false);
  const chat = isTemporary ? TEMPORARY : NEW;
  return <ChatPage key={chat} chat={chat} onTemporary={setTemporary} />;
}

export function ChatRoute() {
  const { id } = useParams({ from: "/chat/$id" });
  return <ChatPage key={id} chat={id} onTemporary={() => undefined} />;
}
