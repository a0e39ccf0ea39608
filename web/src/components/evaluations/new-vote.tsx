import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField, ChoiceField, TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { evaluations, startEvaluation } from "@/services/evaluations";
import { sets } from "@/services/sets";
import { typedPrompts } from "@/services/votes";
import { useWords } from "@/words";
import { ModelChoice, useEvaluable } from "./models";

/** Begins a vote on the answers of two models, and goes to it. */
export function NewVote({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { ids, usual } = useEvaluable();
  const kept = useQuery(sets);
  const [model, setModel] = useState("");
  const [against, setAgainst] = useState("");
  const [from, setFrom] = useState("");
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const one = model || usual;
  const others = ids.filter((id) => id !== one);
  const other = others.includes(against) ? against : (others[0] ?? "");
  const typed = typedPrompts(text);
  const begin = useMutation({
    mutationFn: () =>
      startEvaluation({
        suite: "vote",
        model: one,
        against: other,
        name: name.trim(),
        ...(from ? { set_id: from } : { set: typed }),
      }),
    onSuccess: ({ id }) => navigate({ to: "/evaluations/$id", params: { id } }),
    onSettled: () => queries.invalidateQueries({ queryKey: evaluations.queryKey, exact: true }),
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("vote.new")}
      about={t("vote.new.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button
            kind="strong"
            disabled={!other || (!from && typed.length === 0) || begin.isPending}
            onClick={() => begin.mutate()}
          >
            {t("vote.begin")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <ModelChoice label={t("vote.one")} ids={ids} value={one} onChange={setModel} />
        <ModelChoice
          label={t("vote.other")}
          {...(ids.length > 0 && others.length === 0 ? { hint: t("vote.other.none") } : {})}
          ids={others}
          value={other}
          onChange={setAgainst}
        />
        <ChoiceField
          label={t("vote.prompts")}
          value={from}
          onChange={(event) => setFrom(event.target.value)}
          choices={[
            { value: "", label: t("vote.prompts.typed") },
            ...(kept.data ?? []).map(({ id, name: words, tries: n }) => ({
              value: id,
              label: t("sets.named", { name: words, n }),
            })),
          ]}
        />
        {from ? null : (
          <AreaField
            label={t("vote.typed")}
            hint={t("vote.typed.hint", { n: typed.length })}
            value={text}
            rows={5}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        <TextField
          label={t("evaluations.name")}
          hint={t("vote.name.hint")}
          value={name}
          maxLength={100}
          onChange={(event) => setName(event.target.value)}
        />
        {begin.error ? <Fault error={begin.error} /> : null}
      </div>
    </Dialog>
  );
}
