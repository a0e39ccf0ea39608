import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { EllipsisVertical, FileText, ListChecks, Pin, PinOff, SlidersHorizontal, Trash2 } from "lucide-react";
import { Button, IconButton } from "@/components/ui/button";
import { Menu, type MenuEntry } from "@/components/ui/menu";
import { Badge, Card, Empty, Fault, Loading } from "@/components/ui/pieces";
import {
  type Certified as Certificate,
  type Here,
  here,
  type LocalModel,
  loaded,
  pin,
  type Resident,
  unload,
  unpin,
} from "@/services/models";
import { whoAsks } from "@/services/session";
import { useModelsView } from "@/stores/models";
import { tellFailure, useNotices } from "@/stores/notices";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { joined } from "../ui/joined";
import { short } from "./short";
import { ToolScore } from "./tool-score";

/** Origins whose models paddock may take away. */
const OURS = ["imported", "pulled"];
const KNOWN_ORIGINS = ["bundled", "imported", "pulled", "file", "folder", "hub-cache", "lmstudio", "ollama"];

export function LocalList() {
  const t = useWords();
  const found = useQuery({ ...here, refetchInterval: 15_000 });
  const residents = useQuery(loaded);
  if (found.isPending) return <Loading />;
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  const held = new Map(residents.data?.models.map((one) => [one.id, one]));
  const { models, broken } = found.data;
  return (
    <>
      {residents.error ? <Fault error={residents.error} /> : null}
      {models.length === 0 ? <Empty>{t("models.none")}</Empty> : null}
      <ul aria-label={t("models.list")} className="flex flex-col gap-3">
        {models.map((model) => (
          <Row key={model.id} model={model} resident={held.get(model.id)} here={found.data} />
        ))}
      </ul>
      {broken.length > 0 ? <Broken broken={broken} /> : null}
    </>
  );
}

function Broken({ broken }: { broken: Here["broken"] }) {
  const t = useWords();
  const open = useModelsView((state) => state.open);
  return (
    <Card title={t("models.broken")}>
      <ul className="flex flex-col gap-3 text-sm">
        {broken.map((one) => (
          <li key={one.id} className="flex flex-wrap items-center gap-3">
            <span className="min-w-0 flex-1">
              <span className="block font-medium break-all">{one.id}</span>
              <span className="text-soft">{one.reason}</span>
            </span>
            {OURS.includes(one.origin) ? (
              <Button kind="danger" onClick={() => open({ kind: "remove", id: one.id })}>
                {t("models.remove")}
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Row({ model, resident, here }: { model: LocalModel; resident: Resident | undefined; here: Here }) {
  const t = useWords();
  const amounts = useAmounts();
  const queries = useQueryClient();
  const open = useModelsView((state) => state.open);
  const tell = useNotices((state) => state.tell);
  const who = useQuery(whoAsks).data;
  // Until it is known who asks, every one may.
  const mayTrain = !who || who.rights.includes("train");
  const isDefault = here.default === model.id;
  const after = {
    onError: tellFailure,
    onSettled: () => void queries.invalidateQueries({ queryKey: ["models"] }),
  };
  const unloading = useMutation({
    mutationFn: () => unload(model.id),
    onSuccess: () => tell({ kind: "done", text: t("models.unloaded", { id: model.id }) }),
    ...after,
  });
  const pinning = useMutation({ mutationFn: () => (resident?.pinned ? unpin : pin)(model.id), ...after });
  const isBusy = pinning.isPending || unloading.isPending;
  const facts = [
    amounts.bytes(model.size_bytes),
    t("models.parameters", { n: short(model.parameter_count, amounts.number) }),
    model.quantization,
    ...(model.trained_context_length
      ? [t("models.upto", { n: amounts.count(model.trained_context_length) })]
      : []),
    t(
      (KNOWN_ORIGINS.includes(model.origin)
        ? `models.origin.${model.origin}`
        : "models.origin.folder") as "models.origin.folder",
    ),
  ];
  const entries: (MenuEntry | null)[] = [
    {
      label: t(resident?.pinned ? "models.unpin" : "models.pin"),
      icon: resident?.pinned ? <PinOff /> : <Pin />,
      run: () => pinning.mutate(),
    },
    {
      label: t("models.settings"),
      icon: <SlidersHorizontal />,
      run: () => open({ kind: "settings", id: model.id }),
    },
    { label: t("models.template"), icon: <FileText />, run: () => open({ kind: "template", id: model.id }) },
    ...(mayTrain && model.task === "text"
      ? [
          {
            label: t("models.evaluations"),
            icon: <ListChecks />,
            run: () => open({ kind: "evaluations" as const, id: model.id }),
          },
        ]
      : []),
    null,
    {
      label: t("models.remove"),
      icon: <Trash2 />,
      run: () => open({ kind: "remove", id: model.id }),
      isDangerous: true,
      isDisabled: isDefault || !OURS.includes(model.origin),
    },
  ];
  const isHeld = resident !== undefined && resident.state !== "stopped" && resident.state !== "failed";
  return (
    <li
      aria-label={model.id}
      className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-2xl border border-line bg-raised p-4"
    >
      <div className="min-w-0 flex-1 basis-64">
        <h3 className="flex flex-wrap items-center gap-2 font-semibold">
          <span className="break-all">{model.id}</span>
          {isDefault ? <Badge>{t("models.default")}</Badge> : null}
          {model.task === "text" ? null : <Badge>{t(`models.task.${model.task}`)}</Badge>}
          {model.projector ? <Badge>{t("models.sees")}</Badge> : null}
          {model.certificate ? <Certified certificate={model.certificate} /> : null}
          {resident?.pinned ? <Badge tone="good">{t("models.pinned")}</Badge> : null}
          <ToolScore id={model.id} score={model.evaluations?.tools} />
        </h3>
        <p className="text-sm text-soft">{facts.join(" · ")}</p>
        {model.doubtful_projectors.length > 0 ? (
          <p className="text-sm text-warn">
            {t("models.doubtful", { files: model.doubtful_projectors.join(", ") })}
          </p>
        ) : null}
        <State resident={resident} isUnloading={unloading.isPending} />
      </div>
      <div className="flex items-center gap-2">
        {isHeld ? (
          <>
            <Button onClick={() => open({ kind: "load", id: model.id })}>{t("models.load.change")}</Button>
            <Button disabled={isBusy} onClick={() => unloading.mutate()}>
              {t("models.unload")}
            </Button>
          </>
        ) : (
          <Button kind="strong" onClick={() => open({ kind: "load", id: model.id })}>
            {t("models.load.open")}
          </Button>
        )}
        <Menu
          entries={entries}
          trigger={
            <IconButton label={t("models.more", { id: model.id })} disabled={isBusy}>
              <EllipsisVertical />
            </IconButton>
          }
        />
      </div>
    </li>
  );
}

const STANDINGS = { pass: "good", warn: "warn", fail: "bad", changed: "warn" } as const;

/** Whether the certificate of the export that made a model's file speaks for it. */
function Certified({ certificate: { standing, changed } }: { certificate: Certificate }) {
  const t = useWords();
  const isKnown = standing in STANDINGS;
  const about = isKnown ? [t(`models.certificate.${standing}.about`), changed.join(", ")] : [];
  return (
    <span title={about.join(" ").trim() || undefined}>
      <Badge tone={isKnown ? STANDINGS[standing] : "plain"}>
        {isKnown ? t(`models.certificate.${standing}`) : standing}
      </Badge>
    </span>
  );
}

function State({ resident, isUnloading }: { resident: Resident | undefined; isUnloading: boolean }) {
  const t = useWords();
  const amounts = useAmounts();
  if (!resident) return <p className="text-sm text-soft">{t("models.state.none")}</p>;
  const state: Key = isUnloading ? "models.state.stopping" : `models.state.${resident.state}`;
  const facts = [
    amounts.bytes(resident.memory_bytes),
    ...(resident.context_length ? [t("models.tokens", { n: amounts.count(resident.context_length) })] : []),
    t("models.slots.used", { live: Math.min(resident.live_requests, resident.slots), slots: resident.slots }),
    ...(resident.waiting_requests > 0 ? [t("models.waiting", { n: resident.waiting_requests })] : []),
    ...(resident.idle_s === null || resident.idle_s < 1 || resident.state !== "ready"
      ? []
      : [t("models.idle", { time: amounts.duration(Math.round(resident.idle_s)) })]),
  ];
  return (
    <p className="mt-1 flex flex-wrap items-center gap-x-2 text-sm">
      <span
        aria-hidden="true"
        className={joined(
          "size-2 rounded-full",
          resident.state === "ready" ? "bg-accent" : resident.state === "failed" ? "bg-danger" : "bg-warn",
          resident.live_requests > 0 && "animate-pulse",
        )}
      />
      <span className={resident.state === "failed" ? "text-danger" : "font-medium"}>{t(state)}</span>
      <span className="text-soft tabular-nums">{facts.join(" · ")}</span>
    </p>
  );
}
