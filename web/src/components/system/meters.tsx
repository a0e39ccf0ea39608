import { useEffect } from "react";
import { Badge, Card, Loading } from "@/components/ui/pieces";
import type { Reading } from "@/services/system";
import { useMeters, watchMeters } from "@/stores/meters";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Spark } from "./spark";

/** What the machine is doing, now and in the last two minutes. */
export function Meters() {
  const t = useWords();
  const { readings, isLive } = useMeters();
  useEffect(watchMeters, []);
  const now = readings.at(-1);
  return (
    <Card
      title={t("system.meters")}
      actions={<Badge tone={isLive ? "good" : "plain"}>{t(isLive ? "system.live" : "system.paused")}</Badge>}
    >
      {now ? <Shown now={now} readings={readings} /> : <Loading />}
    </Card>
  );
}

function Shown({ now, readings }: { now: Reading; readings: Reading[] }) {
  const t = useWords();
  const a = useAmounts();
  const memory = now.memory;
  const usable = Math.min(memory.total_bytes, memory.limit_bytes ?? memory.total_bytes);
  const used = Math.max(0, usable - memory.available_bytes);
  const gpuPast = (place: number, of: (gpu: Reading["gpus"][number]) => number | null) =>
    readings.map(({ gpus }) => {
      const gpu = gpus[place];
      return gpu ? of(gpu) : null;
    });
  return (
    <div className="flex flex-col gap-6">
      <div className="grid gap-6 sm:grid-cols-2">
        <Meter
          title={t("system.cpu")}
          value={now.cpu_share === null ? t("system.unknown") : a.share(now.cpu_share)}
          past={readings.map(({ cpu_share }) => cpu_share)}
        />
        <Meter
          title={t("system.memory")}
          value={t("system.of", { used: a.bytes(used), all: a.bytes(usable) })}
          past={readings.map(({ memory: then }) => 1 - then.available_bytes / usable)}
        />
        {now.gpus.map((gpu, place) => (
          <Meter
            key={`${gpu.api}-${gpu.index}`}
            title={gpu.name}
            value={gpu.used_share === null ? t("system.gpu.silent") : a.share(gpu.used_share)}
            about={gpu.celsius === null ? undefined : t("system.celsius", { n: gpu.celsius })}
            past={gpuPast(place, ({ used_share }) => used_share)}
          />
        ))}
        {now.gpus.map((gpu, place) =>
          gpu.used_bytes === null || gpu.total_bytes === null ? null : (
            <Meter
              key={`${gpu.api}-${gpu.index}-memory`}
              title={t("system.gpu.memory", { name: gpu.name })}
              value={t("system.of", { used: a.bytes(gpu.used_bytes), all: a.bytes(gpu.total_bytes) })}
              past={gpuPast(place, (one) =>
                one.used_bytes === null || !one.total_bytes ? null : one.used_bytes / one.total_bytes,
              )}
            />
          ),
        )}
      </div>
      {now.gpus.length === 0 ? <p className="text-sm text-soft">{t("system.gpu.none")}</p> : null}
      <Processes now={now} />
    </div>
  );
}

function Meter({
  title,
  value,
  about,
  past,
}: {
  title: string;
  value: string;
  about?: string | undefined;
  past: (number | null)[];
}) {
  return (
    <section aria-label={title}>
      <header className="mb-1.5 flex flex-wrap items-baseline gap-x-2">
        <h3 className="min-w-0 flex-1 truncate text-sm text-soft">{title}</h3>
        {about ? <span className="text-sm text-soft">{about}</span> : null}
        <span className="font-semibold tabular-nums">{value}</span>
      </header>
      <Spark values={past} />
    </section>
  );
}

function Processes({ now }: { now: Reading }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <table className="w-full text-sm">
      <thead className="text-soft">
        <tr>
          <th className="py-1 pe-3 text-start font-normal">{t("system.process")}</th>
          <th className="py-1 pe-3 text-end font-normal">{t("system.process.memory")}</th>
          <th className="py-1 text-end font-normal">{t("system.process.cores")}</th>
        </tr>
      </thead>
      <tbody className="tabular-nums">
        {now.processes.map((one) => (
          <tr key={one.name} className="border-t border-line">
            <td className="max-w-0 truncate py-1.5 pe-3">
              {one.is_model ? t("system.process.model", { name: one.name }) : t("system.process.own")}
            </td>
            <td className="w-20 py-1.5 pe-3 text-end whitespace-nowrap sm:w-28">
              {a.bytes(one.memory_bytes)}
            </td>
            <td className="w-20 py-1.5 text-end sm:w-24">
              {one.busy_cores === null ? "–" : a.number(one.busy_cores, 2)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
