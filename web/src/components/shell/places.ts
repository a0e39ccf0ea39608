import { BookOpen, Cpu, GraduationCap, Library, type LucideIcon, MessageSquare, Plug } from "lucide-react";
import type { Right, Who } from "@/services/session";
import type { Key } from "@/words";

export interface Place {
  to:
    | "/"
    | "/models"
    | "/training"
    | "/exports"
    | "/evaluations"
    | "/knowledge"
    | "/playground"
    | "/requests"
    | "/keys"
    | "/connect"
    | "/tool-servers"
    | "/engines"
    | "/system"
    | "/settings"
    | "/users";
  words: Key;
  /** The right without which it shows nothing. */
  needs?: Right;
}

export interface Area extends Place {
  icon: LucideIcon;
  /** What it holds beside its first page. */
  within: Place[];
}

/** The areas of the page, as the sidebar and the palette list them. */
export const AREAS: Area[] = [
  { to: "/", words: "nav.chat", icon: MessageSquare, within: [] },
  { to: "/models", words: "nav.models", icon: Library, within: [] },
  { to: "/knowledge", words: "nav.knowledge", icon: BookOpen, needs: "chats", within: [] },
  {
    to: "/training",
    words: "nav.training",
    icon: GraduationCap,
    needs: "train",
    within: [
      { to: "/training", words: "nav.training", needs: "train" },
      { to: "/exports", words: "nav.exports", needs: "train" },
      { to: "/evaluations", words: "nav.evaluations", needs: "train" },
    ],
  },
  {
    to: "/playground",
    words: "nav.api",
    icon: Plug,
    within: [
      { to: "/playground", words: "nav.playground" },
      { to: "/requests", words: "nav.requests", needs: "inspect" },
      { to: "/keys", words: "nav.keys" },
      { to: "/connect", words: "nav.connect" },
      { to: "/tool-servers", words: "nav.toolservers", needs: "tools" },
    ],
  },
  {
    to: "/engines",
    words: "nav.machine",
    icon: Cpu,
    within: [
      { to: "/engines", words: "nav.engines", needs: "inspect" },
      { to: "/system", words: "nav.system", needs: "inspect" },
      { to: "/users", words: "nav.users" },
      { to: "/settings", words: "nav.settings" },
    ],
  },
];

/** Every page that can be gone to. */
export const PLACES: Place[] = AREAS.flatMap((area) => (area.within.length > 0 ? area.within : [area]));

/** Whether a page has something to show to who asks; until that is known, every one may. */
export const isFor = (who: Who | undefined) => (place: Place) =>
  !place.needs || !who || who.rights.includes(place.needs);
