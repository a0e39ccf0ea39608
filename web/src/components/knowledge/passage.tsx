import { useQuery } from "@tanstack/react-query";
import { Dialog } from "@/components/ui/dialog";
import { Fault, Loading } from "@/components/ui/pieces";
import { passage } from "@/services/knowledge";
import { useWords } from "@/words";
import { Where } from "./where";

/** A passage that was cited, between those that stand before and after it. */
export function Passage({ number, onClose }: { number: string; onClose: () => void }) {
  const t = useWords();
  const { data, error } = useQuery(passage(number));
  const cited = data?.data.find((one) => one.id === data.id);
  return (
    <Dialog isOpen isWide onClose={onClose} title={t("knowledge.passage", { number })}>
      {error ? <Fault error={error} /> : null}
      {data || error ? null : <Loading />}
      {cited ? (
        <p className="text-sm font-medium break-words text-soft">
          <Where passage={cited} />
        </p>
      ) : null}
      {data?.data.map((one) =>
        one.id === data.id ? (
          <mark
            key={one.id}
            className="my-3 block rounded bg-tint p-3 break-words whitespace-pre-line text-ink"
          >
            {one.text}
          </mark>
        ) : (
          <p key={one.id} className="my-3 px-3 break-words whitespace-pre-line text-soft">
            {one.text}
          </p>
        ),
      )}
    </Dialog>
  );
}
