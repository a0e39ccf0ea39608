import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ExportList } from "@/components/exports/list";
import { NoStack } from "@/components/training/no-stack";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { exports } from "@/services/exports";
import { useWords } from "@/words";

export function ExportsRoute() {
  const t = useWords();
  const navigate = useNavigate();
  const { data, error, refetch } = useQuery(exports);
  return (
    <Page
      title={t("nav.exports")}
      about={t("export.about")}
      actions={
        <Button kind="strong" onClick={() => void navigate({ to: "/exports/new" })}>
          {t("export.new")}
        </Button>
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data && !data.has_stack ? <NoStack /> : null}
      {data ? null : error ? null : <Loading />}
      {data && data.data.length > 0 ? <ExportList jobs={data.data} /> : null}
      {data && data.data.length === 0 ? <Empty>{t("export.none")}</Empty> : null}
    </Page>
  );
}
