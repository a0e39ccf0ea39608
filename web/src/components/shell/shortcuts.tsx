import { useEffect, useLayoutEffect, useRef } from "react";
import { Dialog } from "@/components/ui/dialog";
import { type Key, useWords } from "@/words";

export interface Shortcut {
  /** As it is shown: "Ctrl K". On Apple's keyboards Command does what Ctrl does. */
  shown: string;
  words: Key;
}

export const SHORTCUTS: Shortcut[] = [
  { shown: "Ctrl K", words: "shortcut.palette" },
  { shown: "Ctrl Shift O", words: "shortcut.new" },
  { shown: "Ctrl B", words: "shortcut.sidebar" },
  { shown: "Esc", words: "shortcut.stop" },
  { shown: "↑", words: "shortcut.edit" },
  { shown: "?", words: "shortcut.help" },
];

/** Whether what is typed goes into a field. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Whether a key belongs to an input method that is still composing. Safari ends composing before the key goes down. */
export function isComposing(event: { isComposing?: boolean; keyCode?: number }): boolean {
  return event.isComposing === true || event.keyCode === 229;
}

/** Do something at keys, such as "ctrl+k" or "?", wherever the focus is; plain keys only outside fields. */
export function useKeys(deeds: Record<string, () => void>): void {
  const kept = useRef(deeds);
  useEffect(() => {
    kept.current = deeds;
  });
  // With the page's first paint: a key that is pressed at once is heard.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      // A key that is held down does it once.
      if (isComposing(event) || event.repeat) return;
      const isCommand = event.ctrlKey || event.metaKey;
      if (!isCommand && isTyping(event.target)) return;
      const name = `${isCommand ? "ctrl+" : ""}${event.shiftKey && isCommand ? "shift+" : ""}${event.key.toLowerCase()}`;
      const deed = kept.current[name];
      if (!deed || event.altKey) return;
      event.preventDefault();
      deed();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

export function ShortcutList({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const t = useWords();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("shell.keys")}>
      <dl className="grid grid-cols-[1fr_auto] gap-x-6 gap-y-2 pb-4">
        {SHORTCUTS.map(({ shown, words }) => (
          <div key={words} className="contents">
            <dt>{t(words)}</dt>
            <dd>
              <kbd className="rounded-md border border-line bg-sunken px-2 py-0.5 font-mono text-sm">
                {shown}
              </kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
