import { Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { Menu as MenuIcon, PanelLeftOpen } from "lucide-react";
import { Dialog } from "radix-ui";
import { lazy, Suspense, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Loading } from "@/components/ui/pieces";
import { visit } from "@/services/visit";
import { useConnection } from "@/stores/connection";
import { usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";
import { Boundary } from "./boundary";
import { Ended } from "./ended";
import { AREAS } from "./places";
import { Sections } from "./sections";
import { ShortcutList, useKeys } from "./shortcuts";
import { isWithin, Sidebar } from "./sidebar";
import { SignIn } from "./sign-in";
import { Strips } from "./strips";

const Palette = lazy(() => import("./palette").then(({ Palette }) => ({ default: Palette })));
const Tour = lazy(() => import("./tour").then(({ Tour }) => ({ default: Tour })));

type Opened = "palette" | "keys" | "sheet" | null;

/** What stands around every page. */
export function Shell() {
  const t = useWords();
  const path = useLocation().pathname;
  const navigate = useNavigate();
  const { isSidebarShown, isTourDone, set } = usePreferences();
  const isEnded = useConnection((state) => state.isEnded);
  const [opened, setOpened] = useState<Opened>(null);
  const close = () => setOpened(null);
  const isNarrow = () => matchMedia("(max-width: 767px)").matches;
  const toggleSidebar = () => {
    if (isNarrow()) setOpened(opened === "sheet" ? null : "sheet");
    else set({ isSidebarShown: !isSidebarShown });
  };
  const startChat = () => void navigate({ to: "/", state: visit() });
  useKeys({
    "ctrl+k": () => setOpened(opened === "palette" ? null : "palette"),
    "ctrl+b": toggleSidebar,
    "ctrl+shift+n": startChat,
    "ctrl+shift+o": startChat,
    "?": () => setOpened("keys"),
  });
  const area = AREAS.find((one) => isWithin(one, path));
  // Whoever comes by a link is not in yet: nothing around it could be shown.
  if (path === "/welcome")
    return (
      <main className="h-dvh overflow-y-auto">
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
    );
  return (
    <div className="flex h-dvh overflow-hidden">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:absolute focus:start-2 focus:top-2 focus:z-50 focus:rounded-lg focus:bg-raised focus:p-3"
      >
        {t("shell.skip")}
      </a>
      {isSidebarShown ? (
        <aside className="hidden w-64 shrink-0 border-e border-line md:block">
          <Sidebar onHide={() => set({ isSidebarShown: false })} onSearch={() => setOpened("palette")} />
        </aside>
      ) : null}
      <Sheet isOpen={opened === "sheet"} onClose={close} onSearch={() => setOpened("palette")} />
      <div className="flex min-w-0 flex-1 flex-col">
        <div className="flex h-12 shrink-0 items-center px-2 md:hidden">
          <IconButton label={t("shell.menu")} onClick={() => setOpened("sheet")}>
            <MenuIcon />
          </IconButton>
          <span className="ms-1 font-semibold">{area ? t(area.words) : t("app.name")}</span>
        </div>
        <Strips />
        <main id="content" tabIndex={-1} className="relative min-h-0 flex-1 overflow-y-auto outline-none">
          {isSidebarShown ? null : (
            <div className="absolute start-2 top-2 z-20 hidden md:block">
              <IconButton label={t("shell.sidebar.show")} shortcut="Ctrl B" onClick={toggleSidebar}>
                <PanelLeftOpen />
              </IconButton>
            </div>
          )}
          {area && area.within.length > 0 ? <Sections area={area} /> : null}
          <Boundary place={path}>
            <Suspense fallback={<Loading />}>{isEnded ? <Ended /> : <Outlet />}</Suspense>
          </Boundary>
        </main>
      </div>
      <SignIn />
      <ShortcutList isOpen={opened === "keys"} onClose={close} />
      <Suspense>
        {opened === "palette" ? <Palette onClose={close} onKeys={() => setOpened("keys")} /> : null}
        {isTourDone ? null : <Tour onDone={() => set({ isTourDone: true })} />}
      </Suspense>
    </div>
  );
}

function Sheet({
  isOpen,
  onClose,
  onSearch,
}: {
  isOpen: boolean;
  onClose: () => void;
  onSearch: () => void;
}) {
  const t = useWords();
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-30 bg-black/50 md:hidden" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-y-0 start-0 z-30 w-[min(20rem,85vw)] border-e border-line md:hidden"
        >
          <Dialog.Title className="sr-only">{t("shell.menu")}</Dialog.Title>
          <Sidebar onHide={onClose} onSearch={onSearch} onGone={onClose} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
