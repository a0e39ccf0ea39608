import type { ReactNode } from "react";
import { Card } from "@/components/ui/pieces";
import type { SystemFacts } from "@/services/system";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** What this machine is, in words. */
export function Facts({ facts }: { facts: SystemFacts }) {
  const t = useWords();
  const a = useAmounts();
  const { cpu, memory, home } = facts;
  const cores =
    cpu.usable_cores < cpu.cores
      ? t("system.cores.some", { usable: cpu.usable_cores, all: cpu.cores })
      : t("system.cores", { n: cpu.cores });
  return (
    <Card title={t("system.machine")}>
      <dl className="grid gap-x-6 gap-y-3 text-sm sm:grid-cols-[12rem_1fr]">
        <Fact name={t("system.cpu")}>
          {cpu.name}
          <Also>
            {cores}
            {cpu.quota_cores === null ? "" : ` ${t("system.quota", { n: a.number(cpu.quota_cores) })}`}
          </Also>
          {cpu.features.length > 0 ? (
            <Also>{t("system.features", { list: cpu.features.join(", ") })}</Also>
          ) : null}
        </Fact>
        <Fact name={t("system.memory")}>
          {a.bytes(memory.total_bytes)}
          {memory.limit_bytes === null ? null : (
            <Also>{t("system.limit", { size: a.bytes(memory.limit_bytes) })}</Also>
          )}
        </Fact>
        <Fact name={t("system.gpus")}>
          {facts.gpus.length === 0 ? t("system.gpu.none") : null}
          {facts.gpus.map((gpu) => (
            <p key={`${gpu.api}-${gpu.index}`}>
              {gpu.name}
              {gpu.total_bytes === null ? "" : ` · ${a.bytes(gpu.total_bytes)}`}
              {gpu.is_shared ? ` · ${t("system.gpu.shared")}` : ""}
            </p>
          ))}
          {facts.gpu_troubles.map((trouble) => (
            <p key={trouble} className="text-warn">
              {trouble}
            </p>
          ))}
        </Fact>
        <Fact name={t("system.os")}>{facts.system}</Fact>
        <Fact name={t("system.home")}>
          <span className="break-all">{home.path}</span>
          <Also>
            {t("system.home.sizes", { used: a.bytes(home.used_bytes), free: a.bytes(home.free_bytes) })}
          </Also>
        </Fact>
        <Fact name={t("system.engine")}>{facts.engine}</Fact>
      </dl>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function Also({ children }: { children: ReactNode }) {
  return <span className="block text-soft">{children}</span>;
}
