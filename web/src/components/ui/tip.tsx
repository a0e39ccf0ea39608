import { autoUpdate, computePosition, flip, offset, shift } from "@floating-ui/dom";
import { useEffect, useLayoutEffect, useRef, useState } from "react";

const AFTER_MS = 400;
/** How long the pointer may take from a button to its tip, which can be pointed at as well. */
const LEFT_MS = 150;

/** The tip of the whole page: the name of the button that is pointed at or focused, and its key. One is enough, and quick. */
export function Tip() {
  const [button, setButton] = useState<HTMLElement | null>(null);
  const own = useRef<HTMLDivElement>(null);
  useEffect(() => watch(own, setButton), []);
  useLayoutEffect(() => {
    const tip = own.current;
    if (!button || !tip) return;
    const middleware = [offset(4), flip(), shift({ padding: 4 })];
    // Where its button goes, it goes along.
    return autoUpdate(button, tip, () => {
      if (!button.isConnected) return setButton(null);
      void computePosition(button, tip, { strategy: "fixed", placement: "top", middleware }).then(
        ({ x, y }) => {
          tip.style.translate = `${x}px ${y}px`;
        },
      );
    });
  }, [button]);
  if (!button) return null;
  return (
    <div
      ref={own}
      role="tooltip"
      className="fixed top-0 left-0 z-60 w-max max-w-[90vw] rounded-md bg-ink px-2 py-1 text-xs text-ground"
    >
      {button.ariaLabel}
      {button.dataset.tip ? <kbd className="ms-2 font-mono">{button.dataset.tip}</kbd> : null}
    </div>
  );
}

/** Tell of which button a tip is to be shown, from now on. Returns what ends that. */
function watch(
  own: React.RefObject<HTMLElement | null>,
  show: (button: HTMLElement | null) => void,
): () => void {
  let timer = 0;
  const soon = (button: HTMLElement | null, after_ms: number) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => show(button?.isConnected ? button : null), after_ms);
  };
  const hide = () => {
    clearTimeout(timer);
    show(null);
  };
  const buttonAt = (target: EventTarget | null) =>
    target instanceof Element ? target.closest<HTMLElement>("[data-tip]") : null;
  const pointed = ({ target, pointerType }: PointerEvent) => {
    if (pointerType === "touch") return;
    if (target instanceof Node && own.current?.contains(target)) return clearTimeout(timer);
    const button = buttonAt(target);
    soon(button, button ? AFTER_MS : LEFT_MS);
  };
  const focused = ({ target }: FocusEvent) => {
    const button = buttonAt(target);
    if (button?.matches(":focus-visible")) soon(button, 0);
  };
  const pressed = ({ key }: KeyboardEvent) => {
    if (key === "Escape") hide();
  };
  const ending = new AbortController();
  const options = { signal: ending.signal, capture: true, passive: true };
  document.addEventListener("pointerover", pointed, options);
  document.addEventListener("focusin", focused, options);
  document.addEventListener("keydown", pressed, options);
  for (const type of ["pointerdown", "focusout", "scroll"]) document.addEventListener(type, hide, options);
  return () => {
    clearTimeout(timer);
    ending.abort();
  };
}
