import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function SettingsRoute() {
  const t = useWords();
  return <Page title={t("nav.settings")}>{null}</Page>;
}
