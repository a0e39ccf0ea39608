import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { usePreferences } from "@/stores/preferences";

/** How near to the end the reader still counts as being there. */
const NEAR_PX = 60;

/** Keeps a scrolled box at its end while its reader is there, and lets go at once when they scroll up. */
export function usePinned(box: RefObject<HTMLElement | null>, isAtEnd: boolean) {
  const isFollowing = usePreferences((state) => state.isFollowing);
  const isPinned = useRef(true);
  const lastTop = useRef(0);
  const [isAway, setAway] = useState(false);
  const known = useRef({ isFollowing, isAtEnd });
  known.current = { isFollowing, isAtEnd };

  const toEnd = useCallback(() => {
    const element = box.current;
    if (!element) return;
    isPinned.current = true;
    element.scrollTop = element.scrollHeight;
    lastTop.current = element.scrollTop;
    setAway(false);
  }, [box]);

  const letGo = useCallback(() => {
    isPinned.current = false;
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const scrolled = () => {
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      // What shrinks moves the box up as well, and leaves it at its end.
      if (element.scrollTop < lastTop.current - 1 && left > 1) isPinned.current = false;
      else if (left <= NEAR_PX && element.scrollTop > lastTop.current) isPinned.current = true;
      lastTop.current = element.scrollTop;
      setAway(left > NEAR_PX || !known.current.isAtEnd);
    };
    const wheeled = (event: WheelEvent) => {
      if (event.deltaY < 0) isPinned.current = false;
    };
    const grown = new ResizeObserver(() => {
      const { isFollowing: follows, isAtEnd: atEnd } = known.current;
      if (isPinned.current && follows && atEnd) {
        element.scrollTop = element.scrollHeight;
        lastTop.current = element.scrollTop;
      }
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      setAway(left > NEAR_PX || !atEnd);
    });
    element.addEventListener("scroll", scrolled, { passive: true });
    element.addEventListener("wheel", wheeled, { passive: true });
    grown.observe(element);
    if (element.firstElementChild) grown.observe(element.firstElementChild);
    return () => {
      element.removeEventListener("scroll", scrolled);
      element.removeEventListener("wheel", wheeled);
      grown.disconnect();
    };
  }, [box]);

  return { isAway, toEnd, letGo };
}
