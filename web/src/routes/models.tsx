import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function ModelsRoute() {
  const t = useWords();
  return <Page title={t("nav.models")}>{null}</Page>;
}
