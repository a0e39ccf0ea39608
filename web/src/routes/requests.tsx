import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function RequestsRoute() {
  const t = useWords();
  return <Page title={t("nav.requests")}>{null}</Page>;
}
