import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function PlaygroundRoute() {
  const t = useWords();
  return <Page title={t("nav.playground")}>{null}</Page>;
}
