import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { FoundChats } from "@/components/chat/found-chats";
import { whoAsks } from "@/services/session";
import { visit } from "@/services/visit";
import { usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";
import { isFor, PLACES } from "./places";

const HEADED =
  "[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-soft";
/** How a row of the palette looks. */
export const ROW =
  "flex min-h-9 cursor-pointer items-center gap-2 rounded-lg px-3 text-sm data-[selected=true]:bg-tint";

/** One field that finds every page, deed and chat. */
export function Palette({ onClose, onKeys }: { onClose: () => void; onKeys: () => void }) {
  const t = useWords();
  const navigate = useNavigate();
  const { data: who } = useQuery(whoAsks);
  const { theme, set } = usePreferences();
  const [asked, setAsked] = useState("");
  const deeds = [
    { words: t("shortcut.new"), run: () => void navigate({ to: "/", state: visit() }) },
    { words: `${t("theme.label")}: ${t("theme.light")}`, run: () => set({ theme: "light" }) },
    { words: `${t("theme.label")}: ${t("theme.dark")}`, run: () => set({ theme: "dark" }) },
    { words: `${t("theme.label")}: ${t("theme.system")}`, run: () => set({ theme: "system" }) },
    { words: t("shell.keys"), run: onKeys },
  ].filter(({ words }) => !words.endsWith(`: ${t(`theme.${theme}`)}`));
  const done = (run: () => void) => () => {
    onClose();
    run();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-40 w-[min(36rem,94vw)] -translate-x-1/2 overflow-hidden rounded-2xl border border-line bg-raised shadow-xl"
        >
          <Dialog.Title className="sr-only">{t("shell.palette")}</Dialog.Title>
          <Command label={t("shell.palette")} className="flex max-h-[70vh] flex-col">
            <Command.Input
              value={asked}
              onValueChange={setAsked}
              placeholder={t("shell.palette.placeholder")}
              className="border-b border-line bg-transparent px-4 py-3 outline-none"
            />
            <Command.List className="min-h-0 flex-1 overflow-y-auto p-2">
              <Command.Empty className="px-3 py-6 text-center text-sm text-soft">
                {t("shell.palette.none")}
              </Command.Empty>
              <FoundChats asked={asked} onGone={onClose} />
              <Command.Group heading={t("shell.palette.pages")} className={HEADED}>
                {PLACES.filter(isFor(who)).map(({ to, words }) => (
                  <Command.Item key={to} className={ROW} onSelect={done(() => void navigate({ to }))}>
                    {t(words)}
                  </Command.Item>
                ))}
              </Command.Group>
              <Command.Group heading={t("shell.palette.actions")} className={HEADED}>
                {deeds.map(({ words, run }) => (
                  <Command.Item key={words} className={ROW} onSelect={run === onKeys ? run : done(run)}>
                    {words}
                  </Command.Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
