import { useQuery } from "@tanstack/react-query";
import { About } from "@/components/system/about";
import { Facts } from "@/components/system/facts";
import { Log } from "@/components/system/log";
import { Meters } from "@/components/system/meters";
import { ShutDown } from "@/components/system/shut-down";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { systemFacts } from "@/services/system";
import { useWords } from "@/words";

export function SystemRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(systemFacts);
  return (
    <Page title={t("nav.system")} about={t("system.about")} actions={data?.can_end ? <ShutDown /> : null}>
      <Meters />
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Facts facts={data} /> : error ? null : <Loading />}
      <Log />
      {data ? <About facts={data} /> : null}
    </Page>
  );
}
