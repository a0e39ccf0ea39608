import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { AddDialog } from "@/components/toolservers/add-dialog";
import { ImportDialog } from "@/components/toolservers/import-dialog";
import { ServerRow } from "@/components/toolservers/server-row";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { whoAsks } from "@/services/session";
import { toolServers } from "@/services/toolservers";
import { useWords } from "@/words";

export function ToolServersRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(toolServers);
  const { data: who } = useQuery(whoAsks);
  const [opened, setOpened] = useState<"add" | "import" | null>(null);
  const mayChange = who?.rights.includes("manage") ?? false;
  return (
    <Page
      title={t("nav.toolservers")}
      about={t("servers.about")}
      actions={
        mayChange ? (
          <div className="flex w-full flex-wrap gap-2 sm:w-auto">
            <Button onClick={() => setOpened("import")}>{t("servers.import")}</Button>
            <Button kind="strong" onClick={() => setOpened("add")}>
              {t("servers.add")}
            </Button>
          </div>
        ) : null
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data || error ? null : <Loading />}
      {data && data.length > 0 ? (
        <ul
          aria-label={t("nav.toolservers")}
          className="divide-y divide-line rounded-2xl border border-line bg-raised"
        >
          {data.map((one) => (
            <ServerRow key={one.name} server={one} mayChange={mayChange} />
          ))}
        </ul>
      ) : null}
      {data && data.length === 0 ? <Empty>{t("servers.none")}</Empty> : null}
      {opened === "add" ? <AddDialog onClose={() => setOpened(null)} /> : null}
      {opened === "import" ? <ImportDialog onClose={() => setOpened(null)} /> : null}
    </Page>
  );
}
