import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Card, Fault, Progress } from "@/components/ui/pieces";
import { type Download, downloads, forgetDownload, type State, steer } from "@/services/hub";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { type Amounts, useAmounts } from "@/words/amounts";

const TONES: Partial<Record<State, "good" | "warn" | "bad">> = {
  done: "good",
  paused: "warn",
  failed: "bad",
};

/** What is fetched, and what was; nothing where there is nothing. */
export function Downloads() {
  const t = useWords();
  const queries = useQueryClient();
  const found = useQuery(downloads);
  const ended = found.data?.filter((one) => one.state === "done").length ?? 0;
  const before = useRef<number | null>(null);
  useEffect(() => {
    if (before.current !== null && before.current !== ended) {
      void queries.invalidateQueries({ queryKey: ["models"] });
      void queries.invalidateQueries({ queryKey: ["v1", "models"] });
    }
    if (found.data) before.current = ended;
  }, [ended, found.data, queries]);
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  if (!found.data?.length) return null;
  return (
    <Card title={t("models.downloads")}>
      <ul aria-label={t("models.downloads")} className="flex flex-col gap-4">
        {[...found.data].reverse().map((one) => (
          <Row key={one.id} download={one} />
        ))}
      </ul>
    </Card>
  );
}

function Row({ download }: { download: Download }) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const [isAsked, setAsked] = useState(false);
  const after = {
    onError: tellFailure,
    onSettled: () => void queries.invalidateQueries({ queryKey: ["downloads"] }),
  };
  const steering = useMutation({
    mutationFn: (deed: "pause" | "resume" | "cancel") => steer(download.id, deed),
    ...after,
  });
  const forgetting = useMutation({ mutationFn: () => forgetDownload(download.id), ...after });
  const { state } = download;
  const isMoving = state === "queued" || state === "running";
  const isOver = state === "done" || state === "cancelled";
  const isBusy = steering.isPending || forgetting.isPending;
  return (
    <li aria-label={download.model} className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <span className="min-w-0 flex-1 basis-52 font-medium break-all">{download.model}</span>
        <Badge tone={TONES[state] ?? "plain"}>{t(`models.download.${state}`)}</Badge>
        {isMoving ? (
          <Button disabled={isBusy} onClick={() => steering.mutate("pause")}>
            {t("models.pause")}
          </Button>
        ) : null}
        {state === "paused" || state === "failed" ? (
          <Button disabled={isBusy} onClick={() => steering.mutate("resume")}>
            {t("models.resume")}
          </Button>
        ) : null}
        {isOver ? (
          <Button kind="quiet" disabled={isBusy} onClick={() => forgetting.mutate()}>
            {t("models.forget")}
          </Button>
        ) : (
          <Button kind="danger" disabled={isBusy} onClick={() => setAsked(true)}>
            {t("models.download.cancel")}
          </Button>
        )}
      </div>
      {isOver ? null : (
        <Progress
          label={t("models.download.progress", { model: download.model })}
          share={download.size_bytes ? download.done_bytes / download.size_bytes : null}
        />
      )}
      <p className="text-sm text-soft tabular-nums">{told(download, t, amounts)}</p>
      {download.error ? <Fault error={new Error(download.error.message)} /> : null}
      <Dialog
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        title={t("models.download.cancel.title", { model: download.model })}
        about={t("models.download.cancel.about", { size: amounts.bytes(download.done_bytes) })}
        foot={
          <>
            <Button kind="quiet" onClick={() => setAsked(false)}>
              {t("models.download.keep")}
            </Button>
            <Button
              kind="danger"
              onClick={() => {
                setAsked(false);
                steering.mutate("cancel");
              }}
            >
              {t("models.download.cancel.deed")}
            </Button>
          </>
        }
      />
    </li>
  );
}

function told(download: Download, t: ReturnType<typeof useWords>, amounts: Amounts): string {
  const size = amounts.bytes(download.size_bytes);
  if (download.state === "done") return t("models.download.whole", { size });
  if (download.state === "cancelled") return t("models.download.gone");
  const { size_bytes, done_bytes, bytes_per_s, seconds_left } = download;
  const parts = [
    t("models.download.part", { done: amounts.bytes(done_bytes), size }),
    amounts.share(size_bytes ? done_bytes / size_bytes : 0),
  ];
  if (download.state === "running" && bytes_per_s > 0) {
    parts.push(t("models.download.rate", { rate: amounts.bytes(bytes_per_s) }));
  }
  if (download.state === "running" && seconds_left !== null) {
    parts.push(t("models.download.left", { time: amounts.duration(Math.max(1, seconds_left)) }));
  }
  if (download.state === "running" && done_bytes >= size_bytes) parts.push(t("models.download.checking"));
  return parts.join(" · ");
}
