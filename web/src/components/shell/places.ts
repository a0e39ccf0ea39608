import { Cpu, Library, type LucideIcon, MessageSquare, Plug } from "lucide-react";
import type { Key } from "@/words";

export interface Place {
  to:
    | "/"
    | "/models"
    | "/playground"
    | "/requests"
    | "/keys"
    | "/connect"
    | "/engines"
    | "/system"
    | "/settings";
  words: Key;
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
  {
    to: "/playground",
    words: "nav.api",
    icon: Plug,
    within: [
      { to: "/playground", words: "nav.playground" },
      { to: "/requests", words: "nav.requests" },
      { to: "/keys", words: "nav.keys" },
      { to: "/connect", words: "nav.connect" },
    ],
  },
  {
    to: "/engines",
    words: "nav.machine",
    icon: Cpu,
    within: [
      { to: "/engines", words: "nav.engines" },
      { to: "/system", words: "nav.system" },
      { to: "/settings", words: "nav.settings" },
    ],
  },
];

/** Every page that can be gone to. */
export const PLACES: Place[] = AREAS.flatMap((area) => (area.within.length > 0 ? area.within : [area]));
