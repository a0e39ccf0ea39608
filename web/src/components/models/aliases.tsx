import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { ChoiceField, TextField } from "@/components/ui/field";
import { Card, Fault } from "@/components/ui/pieces";
import { type Alias, aliases, forgetAlias, here, setAlias } from "@/services/models";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";

/** Other names under which programs may ask for a model. */
export function Aliases() {
  const t = useWords();
  const queries = useQueryClient();
  const tell = useNotices((state) => state.tell);
  const found = useQuery(aliases);
  const models = useQuery(here).data?.models ?? [];
  const [pattern, setPattern] = useState("");
  const [model, setModel] = useState("");
  const refresh = () => void queries.invalidateQueries({ queryKey: aliases.queryKey });
  const putting = useMutation({
    mutationFn: (one: Alias) => setAlias(one.pattern, one.model),
    onSuccess: () => setPattern(""),
    onSettled: refresh,
  });
  const forgetting = useMutation({
    mutationFn: (one: Alias) => forgetAlias(one.pattern),
    onSuccess: (_, one) =>
      tell({
        kind: "done",
        text: t("models.alias.gone", { pattern: one.pattern }),
        action: { label: t("act.undo"), run: () => putting.mutate(one) },
      }),
    onError: tellFailure,
    onSettled: refresh,
  });
  const target = model || models[0]?.id || "";
  return (
    <Card title={t("models.aliases")}>
      <p className="mb-3 text-sm text-soft">{t("models.aliases.about")}</p>
      {found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : null}
      {found.data?.length ? (
        <ul aria-label={t("models.aliases")} className="mb-4 divide-y divide-line">
          {found.data.map((one) => (
            <li key={one.pattern} aria-label={one.pattern} className="flex items-center gap-3 py-1">
              <p className="min-w-0 flex-1 break-all">
                <code className="font-mono">{one.pattern}</code>
                <span className="text-soft"> → {one.model}</span>
              </p>
              <IconButton
                label={t("models.alias.forget", { pattern: one.pattern })}
                onClick={() => forgetting.mutate(one)}
              >
                <Trash2 />
              </IconButton>
            </li>
          ))}
        </ul>
      ) : null}
      <form
        className="grid items-start gap-3 sm:grid-cols-[1fr_1fr_auto]"
        onSubmit={(event) => {
          event.preventDefault();
          putting.mutate({ pattern: pattern.trim(), model: target });
        }}
      >
        <TextField
          label={t("models.alias.pattern")}
          hint={t("models.alias.hint")}
          placeholder="claude-*"
          value={pattern}
          fault={putting.error?.message}
          onChange={(event) => {
            setPattern(event.target.value);
            putting.reset();
          }}
        />
        <ChoiceField
          label={t("models.alias.model")}
          value={target}
          onChange={(event) => setModel(event.target.value)}
          choices={models.map((one) => ({ value: one.id, label: one.id }))}
        />
        <Button type="submit" className="sm:mt-6" disabled={pattern.trim() === "" || putting.isPending}>
          {t("models.alias.add")}
        </Button>
      </form>
    </Card>
  );
}
