import { useState } from "react";
import { AreaField, SwitchField } from "@/components/ui/field";
import type { Settings } from "@/services/chat-shapes";
import { changeSettings } from "@/stores/chat-drafts";
import { useWords } from "@/words";
import { Group } from "./panel-group";

interface Format {
  type: "json_schema";
  name: string;
  schema: unknown;
}

const EXAMPLE = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
  additionalProperties: false,
};

/** Answers as JSON of a given form. */
export function PanelSchema({ chat, settings }: { chat: string; settings: Settings }) {
  const t = useWords();
  const { text: told, ...others } = (settings.extra ?? {}) as { text?: { format?: Format } };
  const format = told?.format ?? null;
  const [text, setText] = useState(() => JSON.stringify(format?.schema ?? EXAMPLE, null, 2));
  const fault = wrongWith(text);
  const keep = (schema: unknown) =>
    changeSettings(chat, {
      extra: { ...others, text: { format: { type: "json_schema", name: "answer", schema } } },
    });
  const leave = () => changeSettings(chat, { extra: Object.keys(others).length > 0 ? others : null });
  return (
    <Group title={t("chat.schema")}>
      <SwitchField
        label={t("chat.schema.on")}
        hint={t("chat.schema.about")}
        isOn={format !== null}
        onChange={(isOn) => (isOn ? keep(fault ? EXAMPLE : JSON.parse(text)) : leave())}
      />
      {format ? (
        <AreaField
          label={t("chat.schema.text")}
          fault={fault === null ? undefined : t("chat.schema.wrong", { fault })}
          rows={10}
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            if (wrongWith(event.target.value) === null) keep(JSON.parse(event.target.value));
          }}
        />
      ) : null}
    </Group>
  );
}

/** What keeps a text from being a schema, in the browser's words; null if nothing does. */
function wrongWith(text: string): string | null {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null && !Array.isArray(read) ? null : "{ }";
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault);
  }
}
