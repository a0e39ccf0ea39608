import { FolderPlus } from "lucide-react";
import { Tabs } from "radix-ui";
import { useState } from "react";
import { Adapters } from "@/components/models/adapters";
import { Aliases } from "@/components/models/aliases";
import { Downloads } from "@/components/models/downloads";
import { HubSearch } from "@/components/models/hub-search";
import { ImportDialog } from "@/components/models/import-dialog";
import { LocalList } from "@/components/models/local-list";
import { Meter } from "@/components/models/meter";
import { RemoteModels } from "@/components/models/remotes";
import { Windows } from "@/components/models/windows";
import { Button } from "@/components/ui/button";
import { Page } from "@/components/ui/pieces";
import { type Tab, useModelsView } from "@/stores/models";
import { useWords } from "@/words";

const TABS: readonly Tab[] = ["here", "hub"];

export function ModelsRoute() {
  const t = useWords();
  const { tab, show } = useModelsView();
  const [isImporting, setImporting] = useState(false);
  return (
    <Page
      title={t("nav.models")}
      about={t("models.about")}
      actions={
        <Button onClick={() => setImporting(true)}>
          <FolderPlus aria-hidden="true" className="size-4" />
          {t("models.import.open")}
        </Button>
      }
    >
      <Downloads />
      <Tabs.Root value={tab} onValueChange={(value) => show(value as Tab)} className="flex flex-col gap-5">
        <Tabs.List aria-label={t("models.places")} className="flex gap-1 border-b border-line">
          {TABS.map((one) => (
            <Tabs.Trigger
              key={one}
              value={one}
              className="-mb-px min-h-10 border-b-2 border-transparent px-3 font-medium text-soft hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink"
            >
              {t(`models.tab.${one}`)}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        <Tabs.Content value="here" className="flex flex-col gap-5">
          <Meter />
          <LocalList />
          <Adapters />
          <RemoteModels />
          <Aliases />
        </Tabs.Content>
        <Tabs.Content value="hub">
          <HubSearch />
        </Tabs.Content>
      </Tabs.Root>
      <Windows />
      {isImporting ? <ImportDialog onClose={() => setImporting(false)} /> : null}
    </Page>
  );
}
