import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Badge, Fault, Loading } from "@/components/ui/pieces";
import { downloads, fetchModel, type Repo, repo, type Variant } from "@/services/hub";
import { here } from "@/services/models";
import { useNotices } from "@/stores/notices";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { HubFit } from "./hub-fit";

const TONES: Record<Variant["verdict"], "good" | "warn" | "bad"> = {
  fits: "good",
  tight: "warn",
  "does not fit": "bad",
};
const VERDICTS: Record<Variant["verdict"], Key> = {
  fits: "models.hub.fits",
  tight: "models.hub.tight",
  "does not fit": "models.hub.not",
};

/** What a repository holds: each variant with its exact size, whether it fits, and how it is fetched. */
export function HubRepo({ name }: { name: string }) {
  const t = useWords();
  const amounts = useAmounts();
  const found = useQuery(repo(name));
  if (found.error) {
    return (
      <div className="px-4 pb-4">
        <Fault error={found.error} onRetry={() => void found.refetch()} />
      </div>
    );
  }
  if (!found.data) return <Loading />;
  const { data } = found;
  return (
    <div className="flex flex-col gap-3 border-t border-line p-4">
      {data.gated ? (
        <div className="rounded-xl border border-line bg-sunken p-3 text-sm">
          <p className="font-medium text-warn">{t("models.gated.title")}</p>
          <ol className="mt-1 list-decimal ps-5">
            <li>{t("models.gated.one", { repo: data.repo })}</li>
            <li>{t("models.gated.two")}</li>
            <li>{t("models.gated.three")}</li>
          </ol>
        </div>
      ) : null}
      <p className="text-sm text-soft">
        {[
          data.licence ? t("models.hub.licence", { name: data.licence }) : t("models.hub.licence.none"),
          ...(data.trained_context_length
            ? [t("models.upto", { n: amounts.count(data.trained_context_length) })]
            : []),
          ...(data.disk_free_bytes === null
            ? []
            : [t("models.hub.disk", { size: amounts.bytes(data.disk_free_bytes) })]),
        ].join(" · ")}
      </p>
      {data.variants.length === 0 ? <p>{t("models.hub.empty")}</p> : null}
      <ul aria-label={t("models.hub.variants", { repo: data.repo })} className="divide-y divide-line">
        {data.variants.map((one) => (
          <VariantRow key={one.model} variant={one} repo={data} />
        ))}
      </ul>
      {data.variants.length > 0 ? <p className="text-xs text-soft">{t("models.hub.bysize")}</p> : null}
    </div>
  );
}

function VariantRow({ variant, repo: whole }: { variant: Variant; repo: Repo }) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const [isLookedInto, lookInto] = useState(false);
  const under = useQuery(downloads).data?.find(
    (one) => one.model === variant.model && one.state !== "cancelled" && one.state !== "done",
  );
  const isHere = useQuery(here).data?.models.some((one) => one.id === variant.model) ?? variant.is_here;
  const fetching = useMutation({
    mutationFn: () => fetchModel(variant.model),
    onSuccess: () => tell({ kind: "done", text: t("models.download.begun", { model: variant.model }) }),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["downloads"] }),
  });
  const missing = whole.disk_free_bytes === null ? 0 : variant.size_bytes - whole.disk_free_bytes;
  return (
    <li aria-label={variant.quantization} className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-48">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-all">{variant.quantization}</span>
          {variant.quantization === whole.usual ? <Badge>{t("models.hub.usual")}</Badge> : null}
          {variant.projector ? <Badge>{t("models.sees")}</Badge> : null}
          {isHere ? <Badge tone="good">{t("models.hub.here")}</Badge> : null}
        </p>
        <p className="text-sm text-soft tabular-nums">
          {t("models.hub.size", {
            size: amounts.bytes(variant.size_bytes),
            bytes: amounts.count(variant.size_bytes),
          })}
          {variant.files.length > 1 ? ` · ${t("models.hub.files", { n: variant.files.length })}` : null}
        </p>
      </div>
      <Badge tone={TONES[variant.verdict]}>{t(VERDICTS[variant.verdict])}</Badge>
      {isHere ? null : (
        <Button
          disabled={fetching.isPending || under !== undefined || missing > 0}
          aria-label={
            under || fetching.isPending ? undefined : t("models.hub.download.of", { model: variant.model })
          }
          onClick={() => fetching.mutate()}
        >
          {t(
            under
              ? `models.download.${under.state}`
              : fetching.isPending
                ? "models.hub.checking"
                : "models.hub.download",
          )}
        </Button>
      )}
      {isHere || isLookedInto ? null : (
        <Button kind="quiet" onClick={() => lookInto(true)}>
          {t("models.fit.ask")}
          <span className="sr-only">: {variant.quantization}</span>
        </Button>
      )}
      {isLookedInto ? <HubFit model={variant.model} onClose={() => lookInto(false)} /> : null}
      {missing > 0 && !isHere ? (
        <p className="w-full text-sm text-danger">
          {t("models.hub.nodisk", { size: amounts.bytes(missing) })}
        </p>
      ) : null}
      {fetching.error ? (
        <div className="w-full">
          <Fault error={fetching.error} onRetry={() => fetching.mutate()} />
        </div>
      ) : null}
    </li>
  );
}
