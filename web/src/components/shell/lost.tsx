import { Empty } from "@/components/ui/pieces";
import { useWords } from "@/words";

export function Lost() {
  const t = useWords();
  return (
    <div className="p-6">
      <Empty>{t("shell.lost")}</Empty>
    </div>
  );
}
