import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function SystemRoute() {
  const t = useWords();
  return <Page title={t("nav.system")}>{null}</Page>;
}
