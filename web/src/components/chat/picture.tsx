import { useEffect, useState } from "react";
import { joined } from "@/components/ui/joined";

interface Props {
  /** By which it is known: another one is loaded anew. */
  id: string;
  /** Its bytes, as an address that this page may show. */
  load: () => Promise<string>;
  alt: string;
  /** What is said in its place where it is no longer there. */
  gone: string;
  className: string;
}

/** A picture whose bytes an image element cannot ask for by itself. */
export function Picture({ id, load, alt, gone, className }: Props) {
  const [source, setSource] = useState<string | null>(null);
  const [isGone, setGone] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what loads it is made anew each time, and is the same
  useEffect(() => {
    let made: string | null = null;
    let isHere = true;
    load().then(
      (url) => {
        if (!isHere) return URL.revokeObjectURL(url);
        made = url;
        setSource(url);
      },
      () => setGone(true),
    );
    return () => {
      isHere = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [id]);
  if (isGone) return <p className="text-sm text-soft">{gone}</p>;
  return (
    <img
      src={source ?? undefined}
      alt={alt}
      className={joined("my-2 max-w-full rounded-xl border border-line object-contain", className)}
    />
  );
}
