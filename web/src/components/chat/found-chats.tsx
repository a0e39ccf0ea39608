import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { useEffect, useState } from "react";
import type { Hit } from "@/services/chat-shapes";
import { chats } from "@/services/chats";
import { visit } from "@/services/visit";
import { useWords } from "@/words";
import { marked } from "./snippet";

const ASKED_AFTER_MS = 80;

/** What the server finds in titles and messages, as rows of the palette. */
export function FoundChats({ asked, onGone }: { asked: string; onGone: () => void }) {
  const t = useWords();
  const navigate = useNavigate();
  const [words, setWords] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setWords(asked.trim()), ASKED_AFTER_MS);
    return () => clearTimeout(timer);
  }, [asked]);
  const { data, error } = useQuery({
    queryKey: ["api", "chats", "search", words],
    queryFn: ({ signal }) => chats.search(words, signal),
    enabled: words !== "",
    placeholderData: (before) => before,
    retry: false,
  });
  if (words === "") return null;
  const go = ({ chat_id, message_id }: Hit) => {
    onGone();
    void navigate({ to: "/chat/$id", params: { id: chat_id }, hash: message_id ?? "", state: visit() });
  };
  const hits = data?.data ?? [];
  if (error || hits.length === 0)
    return error ? <p className="px-3 py-2 text-sm text-danger">{error.message}</p> : null;
  return (
    <Command.Group
      heading={t("shell.palette.chats")}
      className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-soft"
    >
      {hits.map((hit) => (
        <Command.Item
          key={`${hit.chat_id} ${hit.message_id}`}
          value={`${hit.chat_id} ${hit.message_id}`}
          // The server found it by these words; the palette's own filter would not.
          keywords={[asked]}
          onSelect={() => go(hit)}
          className="flex min-h-9 cursor-pointer flex-col justify-center rounded-lg px-3 py-1 text-sm data-[selected=true]:bg-tint"
        >
          <span className="truncate font-medium">{hit.title || t("chat.untitled")}</span>
          {hit.kind === "message" ? (
            <span data-snippet className="line-clamp-2 text-soft">
              {marked(hit.snippet.text, hit.snippet.matches).map(({ text, isMatch, at }) =>
                isMatch ? (
                  <mark key={at} className="bg-transparent font-semibold text-accent">
                    {text}
                  </mark>
                ) : (
                  <span key={at}>{text}</span>
                ),
              )}
            </span>
          ) : null}
        </Command.Item>
      ))}
    </Command.Group>
  );
}
