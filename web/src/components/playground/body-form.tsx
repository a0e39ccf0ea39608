import { useQuery } from "@tanstack/react-query";
import { AreaField, ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { DIALECTS, type DialectName, withField } from "@/services/dialects";
import { listedModels } from "@/services/models";
import { useWords } from "@/words";

interface Props {
  dialect: DialectName;
  body: Record<string, unknown>;
  onChange: (body: Record<string, unknown>) => void;
}

/** The usual fields of a body; all others stay as they are. */
export function BodyForm({ dialect, body, onChange }: Props) {
  const t = useWords();
  const models = useQuery(listedModels).data ?? [];
  const kind = DIALECTS[dialect];
  const chosen = typeof body.model === "string" ? body.model : "";
  const ids = models.map(({ id }) => id);
  const choices = (ids.includes(chosen) ? ids : [chosen, ...ids]).map((id) => ({
    value: id,
    label: id || t("play.model.default"),
  }));
  const set = (name: string, value: unknown) => onChange(withField(body, name, value));
  const number = (name: string) => ({
    type: "number",
    value: typeof body[name] === "number" ? String(body[name]) : "",
    onChange: (event: { target: HTMLInputElement }) =>
      set(name, event.target.value === "" ? "" : Number(event.target.value)),
  });
  const more = kind.turns(body) - 1;
  return (
    <div className="flex flex-col gap-4">
      <ChoiceField
        label={t("play.model")}
        value={chosen}
        choices={choices}
        onChange={(event) => set("model", event.target.value)}
      />
      <AreaField
        label={t("play.instructions")}
        hint={t("play.instructions.hint")}
        rows={2}
        value={kind.instructions(body)}
        onChange={(event) => onChange(kind.withInstructions(body, event.target.value))}
      />
      <AreaField
        label={t("play.message")}
        hint={more > 0 ? t("play.message.more", { n: more }) : undefined}
        value={kind.prompt(body)}
        onChange={(event) => onChange(kind.withPrompt(body, event.target.value))}
      />
      <div className="grid gap-4 sm:grid-cols-3">
        <TextField
          label={t("play.tokens")}
          hint={t("play.tokens.hint", { field: kind.tokensField })}
          min={1}
          step={1}
          {...number(kind.tokensField)}
        />
        <TextField
          label={t("play.temperature")}
          hint="0–2 (temperature)"
          min={0}
          max={2}
          step={0.1}
          {...number("temperature")}
        />
        <TextField
          label={t("play.topP")}
          hint="0–1 (top_p)"
          min={0}
          max={1}
          step={0.05}
          {...number("top_p")}
        />
      </div>
      <SwitchField
        label={t("play.stream")}
        hint={t("play.stream.hint")}
        isOn={body.stream === true}
        onChange={(isOn) => set("stream", isOn)}
      />
    </div>
  );
}
