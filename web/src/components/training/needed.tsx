import { useMutation } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { Fault } from "@/components/ui/pieces";
import { type Estimate, estimateTraining, type Spec } from "@/services/training";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What a training of these options would need, when asked. */
export function Needed({ spec }: { spec: Spec }) {
  const t = useWords();
  const ask = useMutation({ mutationFn: () => estimateTraining(spec) });
  return (
    <div className="flex flex-wrap items-center gap-3 text-sm">
      <Button disabled={ask.isPending} onClick={() => ask.mutate()}>
        {t("train.needed")}
      </Button>
      <p role="status" className="min-w-0 flex-1 basis-64 text-soft tabular-nums">
        {ask.data ? <Said estimate={ask.data} /> : null}
      </p>
      {ask.error ? <Fault error={ask.error} /> : null}
    </div>
  );
}

function Said({ estimate }: { estimate: Estimate }) {
  const t = useWords();
  const a = useAmounts();
  const { memory, free_bytes, disk_bytes, steps, seconds, not_counted } = estimate;
  if (!memory) return t("train.needed.unknown");
  return [
    t("train.needed.memory", { size: a.bytes(memory.all ?? 0), free: a.bytes(free_bytes) }),
    disk_bytes === null ? null : t("train.needed.disk", { size: a.bytes(disk_bytes) }),
    steps === null ? null : t("train.needed.steps", { n: steps }),
    seconds === null ? t("train.needed.time.unknown") : t("train.needed.time", { time: a.duration(seconds) }),
    not_counted ? t("train.needed.images") : null,
  ]
    .filter(Boolean)
    .join(" · ");
}
