import type { PassageView } from "@/services/knowledge";
import { useWords } from "@/words";

/** Where a passage stands: its document, page and heading. */
export function Where({ passage }: { passage: PassageView["data"][number] }) {
  const t = useWords();
  const { document, page, section } = passage;
  return [document, page ? t("knowledge.page", { page }) : "", section].filter(Boolean).join(" · ");
}
