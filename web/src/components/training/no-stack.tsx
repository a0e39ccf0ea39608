import { Card, Snippet } from "@/components/ui/pieces";
import { useWords } from "@/words";

/** What is to be done where the libraries that train are not there. */
export function NoStack() {
  const t = useWords();
  return (
    <Card title={t("train.stack.title")}>
      <div className="flex flex-col gap-3">
        <p className="max-w-prose">{t("train.stack.about")}</p>
        <Snippet text="paddock setup python-stack" label={t("train.stack.command")} />
      </div>
    </Card>
  );
}
