import { Page } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function ConnectRoute() {
  const t = useWords();
  return <Page title={t("nav.connect")}>{null}</Page>;
}
