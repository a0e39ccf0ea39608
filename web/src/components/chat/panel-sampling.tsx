import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import type { Settings } from "@/services/chat-shapes";
import { advisedSampling } from "@/services/sampling";
import { changeSettings } from "@/stores/chat-drafts";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Group } from "./panel-group";
import { useModel } from "./use-models";

const NUMBERS = [
  { name: "temperature", least: 0, most: 100, isWhole: false },
  { name: "top_p", least: 0, most: 1, isWhole: false },
  { name: "top_k", least: 0, most: 2 ** 31 - 1, isWhole: true },
  { name: "min_p", least: 0, most: 1, isWhole: false },
  { name: "repetition_penalty", least: 0, most: 100, isWhole: false },
  { name: "presence_penalty", least: -100, most: 100, isWhole: false },
  { name: "frequency_penalty", least: -100, most: 100, isWhole: false },
  { name: "max_output_tokens", least: 1, most: 2 ** 31 - 1, isWhole: true },
  { name: "seed", least: -1, most: 2 ** 32 - 1, isWhole: true },
] as const;

type Setting = (typeof NUMBERS)[number];

/** How the next word is chosen: what the model's makers advise, and what this chat does otherwise. */
export function PanelSampling({ chat, settings }: { chat: string; settings: Settings }) {
  const t = useWords();
  const model = useModel(chat);
  const { data } = useQuery({ ...advisedSampling(model?.id ?? ""), enabled: model !== null });
  const changed = NUMBERS.filter(({ name }) => settings[name] !== undefined);
  const reset = () => changeSettings(chat, Object.fromEntries(changed.map(({ name }) => [name, null])));
  return (
    <Group
      title={t("chat.sampling")}
      actions={
        changed.length > 0 ? (
          <Button kind="quiet" onClick={reset}>
            <RotateCcw className="size-4" aria-hidden />
            {t("chat.sampling.reset")}
          </Button>
        ) : null
      }
    >
      <p className="text-xs text-soft">
        {t(changed.length > 0 ? "chat.sampling.changed" : "chat.sampling.advised", { n: changed.length })}
      </p>
      {NUMBERS.map((setting) => (
        <NumberSetting
          key={setting.name}
          setting={setting}
          value={settings[setting.name] ?? null}
          advised={data?.applied[setting.name] ?? null}
          source={data?.sources[setting.name] ?? null}
          onChange={(value) => changeSettings(chat, { [setting.name]: value })}
        />
      ))}
      <Stops value={settings.stop ?? []} onChange={(stop) => changeSettings(chat, { stop })} />
    </Group>
  );
}

function readStops(typed: string): string[] {
  return typed
    .split("|")
    .map((one) => one.trim())
    .filter(Boolean);
}

function Stops({ value, onChange }: { value: string[]; onChange: (words: string[] | null) => void }) {
  const t = useWords();
  const [text, setText] = useState(value.join(" | "));
  useEffect(() => {
    setText((before) => (readStops(before).join("|") === value.join("|") ? before : value.join(" | ")));
  }, [value]);
  return (
    <TextField
      label={t("chat.stops")}
      hint={t("chat.stops.about")}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        const words = readStops(event.target.value).slice(0, 16);
        onChange(words.length > 0 ? words : null);
      }}
    />
  );
}

interface Props {
  setting: Setting;
  value: number | null;
  advised: number | null;
  source: string | null;
  onChange: (value: number | null) => void;
}

function NumberSetting({ setting, value, advised, source, onChange }: Props) {
  const t = useWords();
  const { number } = useAmounts();
  const { name, least, most, isWhole } = setting;
  const [text, setText] = useState(value === null ? "" : String(value));
  useEffect(() => {
    setText((before) =>
      Number(before) === value && before !== "" ? before : value === null ? "" : String(value),
    );
  }, [value]);
  const said = text.trim().replace(",", ".");
  const read = said === "" ? null : Number(said);
  const isWrong =
    read !== null &&
    (!Number.isFinite(read) || read < least || read > most || (isWhole && !Number.isInteger(read)));
  const told =
    advised === null
      ? t("chat.sampling.none")
      : t("chat.sampling.from", { value: number(advised, 2), source: source ?? "" });
  const isOther = value !== null && value !== advised;
  return (
    <div className="flex items-start gap-1" data-setting={name} data-changed={isOther}>
      <TextField
        className="flex-1"
        label={t(`chat.sampling.${name}`) + (isOther ? " •" : "")}
        hint={`${t(`chat.sampling.${name}.about`)} ${told}`}
        fault={isWrong ? t("chat.sampling.wrong", { least: number(least), most: number(most) }) : undefined}
        inputMode="decimal"
        placeholder={advised === null ? "" : number(advised, 2)}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          const typed = event.target.value.trim().replace(",", ".");
          const next = typed === "" ? null : Number(typed);
          const isFine =
            next === null ||
            (Number.isFinite(next) && next >= least && next <= most && (!isWhole || Number.isInteger(next)));
          if (isFine) onChange(next);
        }}
      />
      {value === null ? null : (
        <IconButton
          label={t("chat.sampling.reset.one", { name: t(`chat.sampling.${name}`) })}
          className="mt-6"
          onClick={() => {
            setText("");
            onChange(null);
          }}
        >
          <RotateCcw />
        </IconButton>
      )}
    </div>
  );
}
