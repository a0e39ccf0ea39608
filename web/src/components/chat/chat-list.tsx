import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Archive, ArrowDownUp, ChevronDown, FolderPlus } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { Fault } from "@/components/ui/pieces";
import type { Chat } from "@/services/chat-shapes";
import { chats, folders } from "@/services/chats";
import { onChange } from "@/stores/chat-events";
import { tellFailure } from "@/stores/notices";
import { prepareWords, useWords } from "@/words";
import { ChatRow } from "./chat-row";
import { FolderMenu } from "./folder-menu";
import { NameField } from "./name-field";

const Transfer = lazy(async () => {
  const [{ Transfer }] = await Promise.all([
    import("@/components/transfer/transfer"),
    prepareWords("transfer"),
  ]);
  return { default: Transfer };
});
export const LISTED = ["api", "chats"] as const;
const RENEWED_AFTER_MS = 150;

interface Props {
  onGone?: (() => void) | undefined;
}

/** The chats in the sidebar: pinned ones first, then the newest; those in folders stand under their folder. */
export function ChatList({ onGone }: Props) {
  const t = useWords();
  const queries = useQueryClient();
  const [isArchive, setArchive] = useState(false);
  const [isNaming, setNaming] = useState(false);
  const [isTransferring, setTransferring] = useState(false);
  const groups = useQuery({ queryKey: ["api", "folders"], queryFn: folders.list });
  useEffect(() => {
    let timer = 0;
    const stop = onChange((change) => {
      if (change.kind === "folders" || change.kind === "reset")
        void queries.invalidateQueries({ queryKey: ["api", "folders"] });
      if (change.kind === "presets") void queries.invalidateQueries({ queryKey: ["api", "presets"] });
      // A burst of changes is read once.
      timer ||= window.setTimeout(() => {
        timer = 0;
        void queries.invalidateQueries({ queryKey: LISTED });
      }, RENEWED_AFTER_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [queries]);
  const addFolder = (name: string) => {
    setNaming(false);
    if (name) void folders.create(name).catch(tellFailure);
  };
  return (
    <nav aria-label={t("chat.list")} className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center ps-5 pe-2">
        <h2 className="flex-1 text-xs font-medium text-soft">
          {t(isArchive ? "chat.list.archive" : "chat.list")}
        </h2>
        <IconButton label={t("chat.transfer")} onClick={() => setTransferring(true)}>
          <ArrowDownUp />
        </IconButton>
        <IconButton label={t("chat.folder.new")} onClick={() => setNaming(true)}>
          <FolderPlus />
        </IconButton>
        <IconButton
          label={t("chat.list.archive")}
          aria-pressed={isArchive}
          onClick={() => setArchive(!isArchive)}
        >
          <Archive className={isArchive ? "text-accent" : ""} />
        </IconButton>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-2 pb-3">
        {isNaming ? <NameField label={t("chat.folder.name")} value="" onDone={addFolder} /> : null}
        {isArchive
          ? null
          : groups.data?.map((folder) => (
              <Folder key={folder.id} id={folder.id} name={folder.name} onGone={onGone} />
            ))}
        <Rows folder={isArchive ? null : "none"} isArchive={isArchive} onGone={onGone} />
      </div>
      {isTransferring ? (
        <Suspense>
          <Transfer onClose={() => setTransferring(false)} />
        </Suspense>
      ) : null}
    </nav>
  );
}

function Folder({ id, name, onGone }: { id: string; name: string } & Props) {
  const [isOpen, setOpen] = useState(false);
  const [isNaming, setNaming] = useState(false);
  const t = useWords();
  if (isNaming)
    return (
      <NameField
        label={t("chat.folder.name")}
        value={name}
        onDone={(next) => {
          setNaming(false);
          if (next && next !== name) void folders.rename(id, next).catch(tellFailure);
        }}
      />
    );
  return (
    <section aria-label={name}>
      <div className="flex items-center">
        <button
          type="button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          className="flex min-h-9 min-w-0 flex-1 items-center gap-1.5 rounded-lg px-2 text-start text-sm font-medium text-soft hover:bg-ground coarse:min-h-11"
        >
          <ChevronDown
            aria-hidden
            className={joined("size-4 shrink-0 transition-transform", !isOpen && "-rotate-90 rtl:rotate-90")}
          />
          <span className="truncate">{name}</span>
        </button>
        <FolderMenu id={id} name={name} onRename={() => setNaming(true)} />
      </div>
      {isOpen ? (
        <div className="ms-3 border-s border-line ps-1">
          <Rows folder={id} isArchive={false} onGone={onGone} />
        </div>
      ) : null}
    </section>
  );
}

function Rows({ folder, isArchive, onGone }: { folder: string | null; isArchive: boolean } & Props) {
  const t = useWords();
  const end = useRef<HTMLDivElement>(null);
  const { data, error, refetch, hasNextPage, fetchNextPage, isPending } = useInfiniteQuery({
    queryKey: [...LISTED, folder, isArchive],
    queryFn: ({ pageParam, signal }) =>
      chats.page({ cursor: pageParam, folder_id: folder, archived: isArchive ? "true" : "false" }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  useEffect(() => {
    if (!end.current || !hasNextPage) return;
    const watching = new IntersectionObserver((seen) => {
      if (seen.some(({ isIntersecting }) => isIntersecting)) void fetchNextPage();
    });
    watching.observe(end.current);
    return () => watching.disconnect();
  }, [hasNextPage, fetchNextPage]);
  if (error && !data) return <Fault error={error} onRetry={() => void refetch()} />;
  if (isPending) return <p className="px-3 py-2 text-sm text-soft">{t("state.loading")}</p>;
  const rows = unique(data?.pages.flatMap((page) => page.data) ?? []);
  if (rows.length === 0)
    return (
      <p className="px-3 py-2 text-sm text-soft">
        {t(isArchive ? "chat.list.archive.none" : folder === "none" ? "chat.list.none" : "chat.folder.none")}
      </p>
    );
  return (
    <>
      <ul className="flex flex-col gap-0.5">
        {rows.map((chat) => (
          <ChatRow key={chat.id} chat={chat} onGone={onGone} />
        ))}
      </ul>
      <div ref={end} className="h-px" />
    </>
  );
}

/** A chat that moved up while the list was read is on two of its pages. */
function unique(rows: Chat[]): Chat[] {
  return [...new Map(rows.map((chat) => [chat.id, chat])).values()];
}
