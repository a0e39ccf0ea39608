import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function EnginesRoute() {
  const t = useWords();
  return <Page title={t("nav.engines")}>{null}</Page>;
}
