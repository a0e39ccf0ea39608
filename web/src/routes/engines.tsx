import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Builds } from "@/components/engines/builds";
import { Install } from "@/components/engines/install";
import { JobCard } from "@/components/engines/job";
import { useOrder } from "@/components/engines/orders";
import { Button } from "@/components/ui/button";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { allEngines, isGoing } from "@/services/engines";
import { useWords } from "@/words";

export function EnginesRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(allEngines);
  const give = useOrder();
  const [isInstalling, setInstalling] = useState(false);
  const isFree = data?.can_change === true && !isGoing(data.job);
  const job = data?.job && data.job.do !== "look" ? data.job : null;
  return (
    <Page
      title={t("nav.engines")}
      about={t("engines.about")}
      actions={
        data ? (
          <div className="flex flex-wrap gap-2">
            {data.previous ? (
              <Button disabled={!isFree} onClick={() => give.mutate({ do: "use", build: "previous" })}>
                {t("engines.back", { build: data.previous })}
              </Button>
            ) : null}
            <Button kind="strong" disabled={!isFree} onClick={() => setInstalling(true)}>
              {t("engines.install")}
            </Button>
          </div>
        ) : null
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? (
        <>
          {data.why_not ? <p className="rounded-lg bg-sunken px-3 py-2 text-sm">{data.why_not}</p> : null}
          {data.fault ? <Fault error={data.fault} /> : null}
          {data.is_chosen_by_setting ? (
            <p className="rounded-lg bg-sunken px-3 py-2 text-sm">{t("engines.by.setting")}</p>
          ) : data.active === data.running ? null : (
            <p role="status" className="rounded-lg bg-tint px-3 py-2 text-sm">
              {t("engines.restart", { active: data.active })}
            </p>
          )}
          {job ? <JobCard job={job} active={data.active} /> : null}
          <Builds all={data} />
        </>
      ) : error ? null : (
        <Loading />
      )}
      {data && isInstalling ? <Install all={data} onClose={() => setInstalling(false)} /> : null}
    </Page>
  );
}
