import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { NewExport } from "@/components/exports/new-export";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { exports } from "@/services/exports";
import { trainings } from "@/services/training";
import { useWords } from "@/words";

/** What may have made something that can be exported. */
const ENDED = ["done", "stopped"];

export function ExportNewRoute() {
  const t = useWords();
  const { from = "" } = useSearch({ from: "/exports/new" });
  const here = useQuery(exports);
  const trained = useQuery(trainings);
  const error = here.error ?? trained.error;
  return (
    <Page title={t("export.new")} about={t("export.new.about")}>
      {error ? <Fault error={error} onRetry={() => void here.refetch()} /> : null}
      {here.data && trained.data ? (
        <NewExport
          key={from}
          here={here.data}
          trainings={trained.data.data.filter(({ id, state }) => id === from || ENDED.includes(state))}
          from={from}
        />
      ) : error ? null : (
        <Loading />
      )}
    </Page>
  );
}
