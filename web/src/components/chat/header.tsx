import { Ghost, SlidersHorizontal } from "lucide-react";
import { IconButton } from "@/components/ui/button";
import { Badge } from "@/components/ui/pieces";
import { isKept, TEMPORARY, useThreads } from "@/stores/chat";
import { useChatPreferences } from "@/stores/chat-preferences";
import { usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";
import { ContextMeter } from "./context-meter";

interface Props {
  chat: string;
  onTemporary: (isOn: boolean) => void;
}

export function ChatHeader({ chat, onTemporary }: Props) {
  const t = useWords();
  const title = useThreads((state) => state.threads[chat]?.chat.title ?? null);
  const isSidebarShown = usePreferences((state) => state.isSidebarShown);
  const { isPanelShown, set } = useChatPreferences();
  const isTemporary = chat === TEMPORARY;
  return (
    <header className={`flex min-h-12 shrink-0 items-center gap-2 px-3 ${isSidebarShown ? "" : "md:ps-14"}`}>
      {isTemporary ? <Badge tone="warn">{t("chat.temporary.on")}</Badge> : null}
      {isKept(chat) ? (
        <h1 data-title className="min-w-0 flex-1 truncate text-sm font-medium">
          {title || t("chat.untitled")}
        </h1>
      ) : (
        <span className="flex-1" />
      )}
      <ContextMeter chat={chat} />
      {isKept(chat) ? null : (
        <IconButton
          label={t(isTemporary ? "chat.temporary.leave" : "chat.temporary.enter")}
          aria-pressed={isTemporary}
          onClick={() => onTemporary(!isTemporary)}
        >
          <Ghost />
        </IconButton>
      )}
      <IconButton
        label={t("chat.panel")}
        aria-pressed={isPanelShown}
        onClick={() => set({ isPanelShown: !isPanelShown })}
      >
        <SlidersHorizontal />
      </IconButton>
    </header>
  );
}
