import type { Piece } from "@/services/said";
import { type Key, useWords } from "@/words";

const TITLES: Record<Piece["kind"], Key | null> = {
  text: null,
  thought: "said.thought",
  call: "said.call",
  error: "said.error",
};

const LOOKS: Record<Piece["kind"], string> = {
  text: "",
  thought: "border-s-2 border-line ps-3 text-soft",
  call: "rounded-lg bg-sunken p-3 font-mono text-[0.8125rem]",
  error: "rounded-lg border border-danger p-3 text-danger",
};

/** What an answer says, plainly: text, thoughts, calls, errors. */
export function Said({ pieces }: { pieces: Piece[] }) {
  const t = useWords();
  return (
    <div className="flex flex-col gap-3">
      {pieces.map(({ kind, text }, place) => {
        const title = TITLES[kind];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces are only added at the end
          <div key={place} role={kind === "error" ? "alert" : undefined}>
            {title ? <p className="mb-1 text-xs font-medium text-soft">{t(title)}</p> : null}
            <p className={`break-words whitespace-pre-wrap ${LOOKS[kind]}`}>{text}</p>
          </div>
        );
      })}
    </div>
  );
}
