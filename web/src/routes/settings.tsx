import { useQuery } from "@tanstack/react-query";
import { SettingsList } from "@/components/settings/list";
import { OwnPreferences } from "@/components/settings/own";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { allSettings } from "@/services/settings";
import { useWords } from "@/words";

export function SettingsRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(allSettings);
  return (
    <Page title={t("nav.settings")}>
      <OwnPreferences />
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <SettingsList all={data} /> : error ? null : <Loading />}
    </Page>
  );
}
