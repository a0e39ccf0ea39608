import { useState } from "react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { diffRows, type Row } from "@/services/diff";
import { useWords } from "@/words";

const ROWS_MOST = 1_500;

interface Props {
  label: string;
  left: string;
  right: string;
  leftTitle: string;
  rightTitle: string;
}

/** Two texts beside each other, with marks where they differ; on a phone one below the other, line by line. */
export function DiffView({ label, left, right, leftTitle, rightTitle }: Props) {
  const t = useWords();
  const [isWhole, setWhole] = useState(false);
  const rows = diffRows(left, right);
  const shown = isWhole ? rows : rows.slice(0, ROWS_MOST);
  const changes = rows.filter(({ isSame }) => !isSame).length;
  return (
    <div className="flex flex-col gap-2">
      <p className="text-sm text-soft">
        {changes === 0
          ? t("diff.same")
          : t("diff.changes", { n: changes, left: leftTitle, right: rightTitle })}
      </p>
      <section
        aria-label={label}
        tabIndex={0}
        className="max-h-[36rem] overflow-y-auto rounded-lg border border-line font-mono text-[0.8125rem] leading-relaxed"
      >
        {shown.map((row, place) => (
          <Line
            // biome-ignore lint/suspicious/noArrayIndexKey: a line's place is what it is
            key={place}
            row={row}
          />
        ))}
      </section>
      {shown.length < rows.length ? (
        <Button className="self-start" onClick={() => setWhole(true)}>
          {t("diff.all", { n: rows.length })}
        </Button>
      ) : null}
    </div>
  );
}

function Line({ row: { left, right, isSame } }: { row: Row }) {
  return (
    <div className="md:grid md:grid-cols-2">
      <Side text={left} mark={isSame ? null : "−"} />
      <Side text={right} mark={isSame ? null : "+"} className={isSame ? "max-md:hidden" : ""} />
    </div>
  );
}

function Side({
  text,
  mark,
  className,
}: {
  text: string | null;
  mark: "−" | "+" | null;
  className?: string;
}) {
  const t = useWords();
  const look =
    text === null ? "bg-sunken max-md:hidden" : mark === "−" ? "bg-sunken" : mark === "+" ? "bg-tint" : "";
  return (
    <div
      className={joined("flex min-w-0 px-2 md:border-e md:border-line md:last:border-e-0", look, className)}
    >
      <span className="w-4 shrink-0 text-soft select-none">
        {text !== null && mark ? (
          <>
            <span aria-hidden>{mark}</span>
            <span className="sr-only">{mark === "+" ? t("diff.added") : t("diff.removed")}</span>
          </>
        ) : null}
      </span>
      <span className="min-w-0 flex-1 break-words whitespace-pre-wrap">{text ?? ""}</span>
    </div>
  );
}
