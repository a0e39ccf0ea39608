import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Check, X } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Fault, Loading, Progress, Snippet } from "@/components/ui/pieces";
import { checkTemplate, type LocalModel, loaded, templateText } from "@/services/models";
import { useWords } from "@/words";

const ABILITIES = [
  "several_turns",
  "system",
  "system_later",
  "tools",
  "tool_calls",
  "tool_results",
  "thinking",
] as const;

/** A model's chat template: its text at once, and what its engine makes of it when that is asked for. */
export function TemplateDialog({ model, onClose }: { model: LocalModel; onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const text = useQuery(templateText(model.id));
  const isHeld =
    useQuery(loaded).data?.models.some((one) => one.id === model.id && one.state === "ready") ?? false;
  const check = useMutation({
    mutationFn: () => checkTemplate(model.id),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["models", "loaded"] }),
  });
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("models.template.title", { id: model.id })}
      about={t("models.template.about")}
    >
      <div className="flex flex-col gap-4 pb-4">
        {model.task === "text" ? (
          <section aria-label={t("models.template.can")} className="flex flex-col gap-3">
            {check.data ? (
              <ul className="grid gap-1 sm:grid-cols-2">
                {ABILITIES.map((name) => (
                  <li key={name} className="flex items-center gap-2 [&_svg]:size-4">
                    {check.data.renders[name] ? (
                      <Check aria-hidden="true" className="text-accent" />
                    ) : (
                      <X aria-hidden="true" className="text-danger" />
                    )}
                    <span>{t(`models.template.${name}`)}</span>
                    <span className="text-sm text-soft">
                      {t(check.data.renders[name] ? "models.yes" : "models.no")}
                    </span>
                  </li>
                ))}
              </ul>
            ) : null}
            {check.data ? null : (
              <div className="flex flex-wrap items-center gap-3">
                <Button disabled={check.isPending} onClick={() => check.mutate()}>
                  {t(isHeld ? "models.template.check" : "models.template.check.load")}
                </Button>
                <p className="min-w-0 flex-1 text-sm text-soft">{t("models.template.check.about")}</p>
              </div>
            )}
            {check.isPending ? <Progress label={t("models.template.checking")} share={null} /> : null}
            {check.error ? <Fault error={check.error} onRetry={() => check.mutate()} /> : null}
          </section>
        ) : null}
        {text.error ? <Fault error={text.error} onRetry={() => void text.refetch()} /> : null}
        {text.isPending ? <Loading /> : null}
        {text.data?.template ? (
          <>
            <div className="flex flex-wrap gap-2">
              <Badge tone={text.data.from === "override" ? "warn" : "plain"}>
                {t(`models.template.from.${text.data.from}`)}
              </Badge>
              {text.data.mentions.tools ? <Badge>{t("models.template.mentions.tools")}</Badge> : null}
              {text.data.mentions.thinking ? <Badge>{t("models.template.mentions.thinking")}</Badge> : null}
            </div>
            <Snippet text={text.data.template} label={t("models.template.text")} />
          </>
        ) : text.data ? (
          <p className="text-soft">{t("models.template.none")}</p>
        ) : null}
      </div>
    </Dialog>
  );
}
