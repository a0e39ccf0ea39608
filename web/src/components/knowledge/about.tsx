import { Progress } from "@/components/ui/pieces";
import { type Collection, isAtWork } from "@/services/knowledge";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What a collection holds, and how far what is done of it is. */
export function About({ collection }: { collection: Collection }) {
  const t = useWords();
  const a = useAmounts();
  const { documents, passages, embedded, size_bytes, states, folder } = collection;
  const done = (states.ready ?? 0) + (states.failed ?? 0) + (states.cancelled ?? 0);
  const told = [
    t("knowledge.documents", { count: documents }),
    t("knowledge.passages", { count: passages, embedded }),
    a.bytes(size_bytes),
    folder,
  ];
  return (
    <div className="flex flex-col gap-1.5">
      <p className="text-sm break-words text-soft tabular-nums">{told.filter(Boolean).join(" · ")}</p>
      {isAtWork(collection) ? (
        <Progress
          label={t("knowledge.progress", { done, documents })}
          share={documents ? done / documents : null}
        />
      ) : null}
    </div>
  );
}
