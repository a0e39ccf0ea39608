import { type ComponentType, useEffect, useState } from "react";

type Rich = ComponentType<{ text: string; isLive: boolean }>;
let loaded: Rich | null = null;
let loading: Promise<void> | null = null;

/** Have the part of the page that shows Markdown here, as soon as can be. */
export function loadText(): Promise<void> {
  loading ??= import("./rich-text").then(
    ({ RichText }) => {
      loaded = RichText;
    },
    () => {
      // It is tried again with the next text; until then there are plain words.
      loading = null;
    },
  );
  return loading;
}

/** Have it here before it is needed, when there is nothing else to do. */
export function preloadText(): void {
  const soon = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 200));
  soon(() => void loadText());
}

/** Whether what shows Markdown is here, or cannot come. Who does not wait has plain words until it is. */
export function useTextHere(isWaiting: boolean): boolean {
  const [isHere, setHere] = useState(() => !isWaiting || loaded !== null);
  useEffect(() => {
    if (!isHere) void loadText().finally(() => setHere(true));
  }, [isHere]);
  return isHere;
}

/** A text of a message, plain until the part that shows Markdown is here. */
export function Text({ text, isLive = false }: { text: string; isLive?: boolean }) {
  const [Loaded, setLoaded] = useState<Rich | null>(() => loaded);
  useEffect(() => {
    let isHere = true;
    if (!Loaded) void loadText().then(() => isHere && setLoaded(() => loaded));
    return () => {
      isHere = false;
    };
  }, [Loaded]);
  if (Loaded) return <Loaded text={text} isLive={isLive} />;
  return (
    <div dir="auto" className="break-words whitespace-pre-wrap">
      {text}
    </div>
  );
}
