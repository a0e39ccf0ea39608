import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { useChatPreferences } from "@/stores/chat-preferences";
import { useWords } from "@/words";
import { PanelContent } from "./panel-content";

const WIDE = "(min-width: 1024px)";

/** How answers are made: beside the chat where there is room, else a sheet over it. */
export function Panel({ chat }: { chat: string }) {
  const t = useWords();
  const set = useChatPreferences((state) => state.set);
  const [isWide, setWide] = useState(() => matchMedia(WIDE).matches);
  useEffect(() => {
    const media = matchMedia(WIDE);
    const changed = () => setWide(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  const close = () => set({ isPanelShown: false });
  if (!isWide)
    return (
      <Dialog isOpen onClose={close} title={t("chat.panel")}>
        <PanelContent chat={chat} />
      </Dialog>
    );
  return (
    <aside
      aria-label={t("chat.panel")}
      className="flex w-80 shrink-0 flex-col border-s border-line bg-raised"
    >
      <header className="flex min-h-12 items-center ps-4 pe-2">
        <h2 className="flex-1 font-semibold">{t("chat.panel")}</h2>
        <IconButton label={t("act.close")} onClick={close}>
          <X />
        </IconButton>
      </header>
      <section aria-label={t("chat.panel")} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-4">
        <PanelContent chat={chat} />
      </section>
    </aside>
  );
}
