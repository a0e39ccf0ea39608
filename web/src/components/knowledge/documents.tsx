import { X } from "lucide-react";
import { IconButton } from "@/components/ui/button";
import { Badge, Empty } from "@/components/ui/pieces";
import type { Document } from "@/services/knowledge";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

const TONES = {
  ready: "good",
  failed: "bad",
  cancelled: "warn",
  waiting: "plain",
  reading: "plain",
  embedding: "plain",
} as const;

/** The documents of a collection, what became of each, and taking one away. */
export function Documents({
  documents,
  onRemove,
}: {
  documents: Document[];
  /** Left out where a folder says what is in it. */
  onRemove?: ((document: Document) => void) | undefined;
}) {
  const t = useWords();
  const a = useAmounts();
  if (documents.length === 0) return <Empty>{t("knowledge.documents.none")}</Empty>;
  return (
    <ul aria-label={t("knowledge.documents.title")} className="divide-y divide-line">
      {documents.map((one) => (
        <li key={one.id} className="flex items-center gap-3 py-2">
          <div className="min-w-0 flex-1">
            <p className="flex flex-wrap items-center gap-2">
              <span className="min-w-0 break-words">{one.name}</span>
              <Badge tone={TONES[one.state]}>{t(`knowledge.state.${one.state}`)}</Badge>
            </p>
            <p className="text-sm text-soft tabular-nums">
              {[
                a.bytes(one.size_bytes),
                one.pages ? t("knowledge.pages", { count: one.pages }) : null,
                t("knowledge.passages", { count: one.passages, embedded: one.embedded }),
              ]
                .filter(Boolean)
                .join(" · ")}
            </p>
            {one.error ? <p className="text-sm break-words text-danger">{one.error}</p> : null}
          </div>
          {onRemove ? (
            <IconButton
              label={t("knowledge.document.remove", { name: one.name })}
              onClick={() => onRemove(one)}
            >
              <X />
            </IconButton>
          ) : null}
        </li>
      ))}
    </ul>
  );
}
