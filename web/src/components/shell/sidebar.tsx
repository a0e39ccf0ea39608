import { useQuery } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { CircleUser, PanelLeftClose, Search, SquarePen } from "lucide-react";
import { ChatList } from "@/components/chat/chat-list";
import { Button, IconButton } from "@/components/ui/button";
import { whoAsks } from "@/services/session";
import { visit } from "@/services/visit";
import { useWords } from "@/words";
import { AREAS, type Area, isFor } from "./places";

interface Props {
  onHide: () => void;
  onSearch: () => void;
  /** Called when something was gone to; the sheet of a phone closes then. */
  onGone?: () => void;
}

/** Whether a path lies in an area. */
export function isWithin(area: Area, path: string): boolean {
  if (area.to === "/") return path === "/" || path.startsWith("/chat/");
  return [area, ...area.within].some(({ to }) => path.startsWith(to));
}

export function Sidebar({ onHide, onSearch, onGone }: Props) {
  const t = useWords();
  const path = useLocation().pathname;
  const navigate = useNavigate();
  const { data: who } = useQuery(whoAsks);
  const startChat = () => {
    void navigate({ to: "/", state: visit() });
    onGone?.();
  };
  return (
    <div className="flex h-full w-full flex-col bg-sunken">
      <div className="flex items-center gap-1 px-3 pt-3 pb-2">
        <Link to="/" className="flex flex-1 items-center gap-2 font-semibold" onClick={onGone}>
          <img src="/icon.svg" alt="" className="size-6" />
          {t("app.name")}
        </Link>
        <IconButton label={t("shell.palette")} shortcut="Ctrl K" onClick={onSearch}>
          <Search />
        </IconButton>
        <IconButton label={t("shell.sidebar.hide")} shortcut="Ctrl B" onClick={onHide}>
          <PanelLeftClose />
        </IconButton>
      </div>
      <nav aria-label={t("nav.label")} className="px-2">
        <ul className="flex flex-col gap-0.5">
          {AREAS.filter(isFor(who)).map((area) => (
            <li key={area.to}>
              <Link
                to={area.to}
                onClick={onGone}
                aria-current={isWithin(area, path) ? "page" : undefined}
                className="flex min-h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm font-medium text-soft hover:bg-ground hover:text-ink aria-[current=page]:bg-tint aria-[current=page]:text-ink coarse:min-h-11"
              >
                <area.icon className="size-4.5" aria-hidden />
                {t(area.words)}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="px-3 pt-3 pb-1">
        <Button className="w-full" onClick={startChat}>
          <SquarePen className="size-4" aria-hidden />
          {t("shortcut.new")}
        </Button>
      </div>
      <ChatList onGone={onGone} />
      <Account onGone={onGone} />
    </div>
  );
}

/** Who is signed in, where somebody is. */
function Account({ onGone }: { onGone: (() => void) | undefined }) {
  const { data: who } = useQuery(whoAsks);
  if (!who?.account) return null;
  return (
    <Link
      to="/users"
      onClick={onGone}
      className="m-2 flex min-h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm text-soft hover:bg-ground hover:text-ink coarse:min-h-11"
    >
      <CircleUser className="size-4.5 shrink-0" aria-hidden />
      <span className="truncate">{who.account}</span>
    </Link>
  );
}
