import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { TextField } from "@/components/ui/field";
import { modelsIn, type WantedKey } from "@/services/keys";
import { type Right, whoAsks } from "@/services/session";
import { useWords } from "@/words";

const RIGHTS: Right[] = ["ask", "chats", "load", "download", "delete", "tools", "train", "inspect", "manage"];
const LIMITS = [
  ["requests_per_minute", "keys.per.minute"],
  ["requests_per_day", "keys.per.day"],
  ["tokens_per_day", "keys.tokens"],
] as const;

export type Terms = Pick<
  WantedKey,
  "may" | "models" | "requests_per_minute" | "requests_per_day" | "tokens_per_day"
>;

/** What a key may do, of what its maker may, and how much. */
export function TermsFields({ terms, onTerms }: { terms: Terms; onTerms: (terms: Terms) => void }) {
  const t = useWords();
  const { data: who } = useQuery(whoAsks);
  const [models, setModels] = useState("");
  const may = terms.may ?? [];
  const toggle = (right: Right) =>
    onTerms({ ...terms, may: may.includes(right) ? may.filter((one) => one !== right) : [...may, right] });
  return (
    <>
      <fieldset className="flex flex-col gap-1.5">
        <legend className="pb-1 text-sm font-medium">{t("keys.may")}</legend>
        {RIGHTS.filter((right) => who?.rights.includes(right)).map((right) => (
          <label key={right} className="flex min-h-8 items-center gap-2 text-sm">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={may.includes(right)}
              onChange={() => toggle(right)}
            />
            {t(`keys.may.${right}`)}
          </label>
        ))}
      </fieldset>
      <details>
        <summary className="cursor-pointer text-sm font-medium">{t("keys.limits")}</summary>
        <div className="flex flex-col gap-3 pt-3">
          <TextField
            label={t("keys.models")}
            hint={t("keys.models.hint")}
            autoComplete="off"
            value={models}
            onChange={(event) => {
              setModels(event.target.value);
              onTerms({ ...terms, models: modelsIn(event.target.value) });
            }}
          />
          {LIMITS.map(([name, words]) => (
            <TextField
              key={name}
              label={t(words)}
              hint={t("keys.unlimited")}
              inputMode="numeric"
              type="number"
              min={0}
              max={1_000_000_000}
              value={terms[name] || ""}
              onChange={(event) => onTerms({ ...terms, [name]: Number(event.target.value) || 0 })}
            />
          ))}
        </div>
      </details>
    </>
  );
}
