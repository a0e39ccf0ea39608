import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Snippet } from "@/components/ui/pieces";
import { ask } from "@/services/api";
import { useWords } from "@/words";

/** What stands in place of every page once paddock was ended from here. */
export function Ended() {
  const t = useWords();
  const [isStill, setStill] = useState(false);
  const look = async () => {
    try {
      await ask("GET", "/health");
      location.reload();
    } catch {
      setStill(true);
    }
  };
  return (
    <div className="mx-auto flex max-w-xl flex-col gap-4 px-4 py-16">
      <h1 className="text-2xl font-semibold tracking-tight">{t("ended.title")}</h1>
      <p className="text-soft">{t("ended.about")}</p>
      <Snippet text="paddock serve" label={t("ended.command")} />
      <div className="flex flex-wrap items-center gap-3">
        <Button kind="strong" onClick={() => void look()}>
          {t("ended.look")}
        </Button>
        <p role="status" className="text-sm text-soft">
          {isStill ? t("ended.still") : ""}
        </p>
      </div>
    </div>
  );
}
