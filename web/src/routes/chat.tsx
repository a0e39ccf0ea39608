import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { ChatPage } from "@/components/chat/chat-page";
import { NEW, TEMPORARY } from "@/stores/chat";

export function NewChatRoute() {
  const [isTemporary, setTemporary] = useState(false);
  const chat = isTemporary ? TEMPORARY : NEW;
  return <ChatPage key={chat} chat={chat} onTemporary={setTemporary} />;
}

export function ChatRoute() {
  const { id } = useParams({ from: "/chat/$id" });
  return <ChatPage key={id} chat={id} onTemporary={() => undefined} />;
}
