import { useQuery } from "@tanstack/react-query";
import { SwitchField } from "@/components/ui/field";
import type { Settings } from "@/services/chat-shapes";
import { collections } from "@/services/knowledge";
import { changeSettings } from "@/stores/chat-drafts";
import { useWords } from "@/words";
import { Group } from "./panel-group";

/** In which collections of documents the model may look in this chat. */
export function PanelKnowledge({ chat, settings }: { chat: string; settings: Settings }) {
  const t = useWords();
  const { data } = useQuery(collections);
  const there = data?.data ?? [];
  const chosen = (settings.knowledge ?? []).filter((id) => there.some((one) => one.id === id));
  // Answers fail while the chat names one that was removed: it is to be seen, and turned off.
  const isOneGone = data !== undefined && chosen.length < (settings.knowledge ?? []).length;
  if (there.length === 0 && !isOneGone) return null;
  const turn = (id: string, isOn: boolean) => {
    const others = chosen.filter((one) => one !== id);
    const ids = isOn ? [...others, id] : others;
    changeSettings(chat, { knowledge: ids.length > 0 ? ids : null });
  };
  return (
    <Group title={t("nav.knowledge")}>
      <p className="text-xs text-soft">{t("chat.knowledge.about")}</p>
      {there.map((one) => (
        <SwitchField
          key={one.id}
          label={one.name}
          isOn={chosen.includes(one.id)}
          onChange={(isOn) => turn(one.id, isOn)}
        />
      ))}
      {isOneGone ? (
        <SwitchField
          label={t("chat.knowledge.gone")}
          isOn
          onChange={() => changeSettings(chat, { knowledge: chosen.length > 0 ? chosen : null })}
        />
      ) : null}
    </Group>
  );
}
