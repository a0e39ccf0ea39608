import { ChevronRight } from "lucide-react";
import { type ReactNode, useId } from "react";
import { joined } from "@/components/ui/joined";

/** How code and what programs say are written. */
export const CODE = "overflow-x-auto font-mono text-xs leading-relaxed whitespace-pre-wrap break-words";

/** JSON with its lines; another text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What cannot be seen, or turns the words around it, is spelled out: nobody is to allow what he does not read. */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115f\u1160\u3164\uffa0]/gu;

export function spelled(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A part of a message that is shown by its title until it is opened. */
export function Fold({
  icon,
  title,
  isOpen,
  onToggle,
  children,
}: {
  icon: ReactNode;
  title: ReactNode;
  isOpen: boolean;
  onToggle: () => void;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <div className="my-2 rounded-xl border border-line">
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={onToggle}
        className="flex min-h-9 w-full items-center gap-2 px-3 text-start text-sm text-soft coarse:min-h-11 [&_svg]:size-4"
      >
        {icon}
        <span className="min-w-0 flex-1 truncate">{title}</span>
        <ChevronRight aria-hidden className={joined("transition-transform", isOpen && "rotate-90")} />
      </button>
      <div id={id} hidden={!isOpen} className="border-t border-line px-3 py-2">
        {isOpen ? children : null}
      </div>
    </div>
  );
}
