import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { TextField } from "@/components/ui/field";
import { Badge, Card, Empty } from "@/components/ui/pieces";
import type { Setting, Settings } from "@/services/settings";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { useHelp } from "@/words/help";
import { Editor } from "./editor";
import { GROUPS, type Group, groupOf, labelOf, matches } from "./groups";
import { isPending, shownValue } from "./value";

const ORDER: Group[] = [...(Object.keys(GROUPS) as (keyof typeof GROUPS)[]), "other"];

/** The settings of the server by what they are about, with a field that finds them. */
export function SettingsList({ all }: { all: Settings }) {
  const t = useWords();
  const [asked, setAsked] = useState("");
  const [opened, setOpened] = useState<string | null>(null);
  const label = (name: string) => {
    const key = labelOf(name);
    return key ? t(key) : name;
  };
  const settings = useHelp("settings", all.settings);
  const found = settings.filter((one) => matches(one, label(one.name), asked));
  const editing = settings.find(({ name }) => name === opened);
  return (
    <>
      <div className="flex flex-col gap-3">
        <h2 className="text-lg font-semibold">{t("settings.server")}</h2>
        <p className="max-w-prose text-sm text-soft">{t("settings.about", { file: all.file })}</p>
        {all.why_not ? <p className="rounded-lg bg-sunken px-3 py-2 text-sm">{all.why_not}</p> : null}
        {all.fault ? (
          <p role="alert" className="rounded-lg border border-danger px-3 py-2 text-sm text-danger">
            {all.fault}
          </p>
        ) : null}
        <Pending settings={all.settings} label={label} />
        <TextField
          label={t("settings.search")}
          type="search"
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
      </div>
      {found.length === 0 ? <Empty>{t("settings.none", { asked })}</Empty> : null}
      {ORDER.map((group) => {
        const within = found.filter(({ name }) => groupOf(name) === group);
        return within.length === 0 ? null : (
          <Card key={group} title={t(`settings.group.${group}`)}>
            <ul className="-my-2 divide-y divide-line">
              {within.map((one) => (
                <Row
                  key={one.name}
                  setting={one}
                  label={label(one.name)}
                  onOpen={() => setOpened(one.name)}
                />
              ))}
            </ul>
          </Card>
        );
      })}
      {editing ? (
        <Editor
          key={editing.name}
          setting={editing}
          label={label(editing.name)}
          canChange={all.can_change}
          whyNot={all.why_not}
          onClose={() => setOpened(null)}
        />
      ) : null}
    </>
  );
}

function Pending({ settings, label }: { settings: Setting[]; label: (name: string) => string }) {
  const t = useWords();
  const waiting = settings.filter(isPending);
  if (waiting.length === 0) return null;
  return (
    <p role="status" className="rounded-lg bg-tint px-3 py-2 text-sm">
      {t("settings.pending", { list: waiting.map(({ name }) => label(name)).join(", ") })}
    </p>
  );
}

function Row({ setting, label, onOpen }: { setting: Setting; label: string; onOpen: () => void }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <li>
      <button
        type="button"
        onClick={onOpen}
        className="flex w-full items-center gap-3 rounded-lg px-2 py-2.5 text-start hover:bg-sunken"
      >
        <span className="min-w-0 flex-1">
          <span className="block text-sm font-medium">{label}</span>
          <span className="block text-xs text-soft">{setting.help}</span>
        </span>
        <span className="flex max-w-[45%] shrink-0 flex-col items-end gap-1 text-end text-sm">
          <span className="max-w-full font-medium break-words">
            {shownValue(setting.name, setting.value, t, a)}
          </span>
          {isPending(setting) ? (
            <Badge tone="warn">
              {t("settings.then", { value: shownValue(setting.name, setting.next_value, t, a) })}
            </Badge>
          ) : setting.source === "default" ? null : (
            <Badge>{t(`settings.source.${setting.source}`)}</Badge>
          )}
        </span>
        <ChevronRight aria-hidden="true" className="size-4 shrink-0 text-soft rtl:-scale-x-100" />
      </button>
    </li>
  );
}
