import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import {
  Archive,
  ArchiveRestore,
  Ellipsis,
  Folder,
  FolderMinus,
  LoaderCircle,
  Pencil,
  Pin,
  PinOff,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Menu, type MenuEntry } from "@/components/ui/menu";
import type { Chat } from "@/services/chat-shapes";
import { type ChatPatch, chats, folders } from "@/services/chats";
import { putChat } from "@/stores/chat";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { NameField } from "./name-field";

/** One chat in the list. */
export function ChatRow({ chat, onGone }: { chat: Chat; onGone?: (() => void) | undefined }) {
  const t = useWords();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const isOpen = useLocation().pathname === `/chat/${chat.id}`;
  const [isNaming, setNaming] = useState(false);
  const groups = useQuery({ queryKey: ["api", "folders"], queryFn: folders.list });
  const renew = () => queries.invalidateQueries({ queryKey: ["api", "chats"] });
  const change = async (patch: ChatPatch) => {
    try {
      const told = await chats.change(chat.id, patch);
      if (told) putChat(told);
      await renew();
    } catch (fault) {
      tellFailure(fault);
    }
  };
  const remove = async () => {
    const undo = async () => {
      await chats.restore(chat.id);
      await renew();
      if (isOpen) void navigate({ to: "/chat/$id", params: { id: chat.id } });
    };
    try {
      await chats.remove(chat.id);
      const action = { label: t("act.undo"), run: () => void undo().catch(tellFailure) };
      useNotices.getState().tell({ kind: "done", text: t("chat.deleted", { title }), action });
      if (isOpen) void navigate({ to: "/" });
      await renew();
    } catch (fault) {
      tellFailure(fault);
    }
  };
  const title = chat.title || t("chat.untitled");
  const moves: MenuEntry[] = (groups.data ?? [])
    .filter(({ id }) => id !== chat.folder_id)
    .map(({ id, name }) => ({
      label: t("chat.move", { name }),
      icon: <Folder />,
      run: () => void change({ folder_id: id }),
    }));
  if (chat.folder_id !== null)
    moves.push({
      label: t("chat.move.out"),
      icon: <FolderMinus />,
      run: () => void change({ folder_id: null }),
    });
  const entries: (MenuEntry | null)[] = [
    {
      label: t(chat.pinned ? "chat.unpin" : "chat.pin"),
      icon: chat.pinned ? <PinOff /> : <Pin />,
      run: () => void change({ pinned: !chat.pinned }),
    },
    { label: t("chat.rename"), icon: <Pencil />, run: () => setNaming(true) },
    {
      label: t(chat.archived ? "chat.unarchive" : "chat.archive"),
      icon: chat.archived ? <ArchiveRestore /> : <Archive />,
      run: () => void change({ archived: !chat.archived }),
    },
    ...(moves.length > 0 ? [null, ...moves] : []),
    null,
    { label: t("act.delete"), icon: <Trash2 />, run: () => void remove(), isDangerous: true },
  ];
  if (isNaming)
    return (
      <li>
        <NameField
          label={t("chat.name")}
          value={chat.title ?? ""}
          onDone={(name) => {
            setNaming(false);
            if (name && name !== chat.title) void change({ title: name });
          }}
        />
      </li>
    );
  return (
    <li
      data-chat={chat.id}
      data-running={chat.is_generating}
      className="flex items-center rounded-lg hover:bg-ground has-aria-[current=page]:bg-tint"
    >
      <Link
        to="/chat/$id"
        params={{ id: chat.id }}
        hash=""
        onClick={onGone}
        aria-current={isOpen ? "page" : undefined}
        className="flex min-h-9 min-w-0 flex-1 items-center gap-1.5 px-3 text-sm coarse:min-h-11"
      >
        {chat.pinned ? <Pin className="size-3.5 shrink-0 text-soft" aria-label={t("chat.pinned")} /> : null}
        <span className="min-w-0 flex-1 truncate" dir="auto">
          {title}
        </span>
        {chat.is_generating ? (
          <LoaderCircle
            role="img"
            aria-label={t("chat.running")}
            className="size-4 shrink-0 animate-spin text-accent"
          />
        ) : null}
      </Link>
      <Menu
        trigger={
          <IconButton label={t("chat.more", { title })}>
            <Ellipsis />
          </IconButton>
        }
        entries={entries}
      />
    </li>
  );
}
