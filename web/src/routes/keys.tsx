import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function KeysRoute() {
  const t = useWords();
  return <Page title={t("nav.keys")}>{null}</Page>;
}
