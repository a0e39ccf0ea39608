import { AreaField, ChoiceField, SwitchField } from "@/components/ui/field";
import { EFFORTS, type Settings } from "@/services/chat-shapes";
import { isKept, useThreads } from "@/stores/chat";
import { changeSettings } from "@/stores/chat-drafts";
import { useChatPreferences } from "@/stores/chat-preferences";
import { usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";
import { PanelFiles } from "./panel-files";
import { Group } from "./panel-group";
import { PanelKnowledge } from "./panel-knowledge";
import { PanelPresets } from "./panel-presets";
import { PanelSampling } from "./panel-sampling";
import { PanelSchema } from "./panel-schema";
import { PanelTools } from "./panel-tools";

const NONE: Settings = {};

/** Everything that decides how answers of a chat are made, and how this browser shows them. */
export function PanelContent({ chat }: { chat: string }) {
  const t = useWords();
  const settings = useThreads((state) => state.threads[chat]?.chat.settings ?? NONE);
  const change = (values: Partial<Settings>) => changeSettings(chat, values);
  const { isReadOut, set: setChat } = useChatPreferences();
  const { isFollowing, isEnterSending, set } = usePreferences();
  const thinking = settings.thinking === undefined ? "" : settings.thinking ? "on" : "off";
  return (
    <div className="flex flex-col gap-6 py-2 pb-6">
      <PanelPresets chat={chat} settings={settings} />
      <AreaField
        label={t("chat.system")}
        hint={t("chat.system.about")}
        rows={4}
        dir="auto"
        maxLength={100_000}
        value={settings.system ?? ""}
        onChange={(event) => change({ system: event.target.value || null })}
      />
      <Group title={t("chat.thoughts")}>
        <ChoiceField
          label={t("chat.thoughts.on")}
          hint={t("chat.thoughts.about")}
          value={thinking}
          onChange={(event) => change({ thinking: event.target.value ? event.target.value === "on" : null })}
          choices={[
            { value: "", label: t("chat.advised") },
            { value: "on", label: t("chat.on") },
            { value: "off", label: t("chat.off") },
          ]}
        />
        <ChoiceField
          label={t("chat.effort")}
          hint={t("chat.effort.about")}
          value={settings.effort ?? ""}
          onChange={(event) => change({ effort: (event.target.value || null) as Settings["effort"] })}
          choices={[
            { value: "", label: t("chat.advised") },
            ...EFFORTS.map((value) => ({ value, label: t(`chat.effort.${value}`) })),
          ]}
        />
      </Group>
      <PanelSampling chat={chat} settings={settings} />
      <PanelTools chat={chat} settings={settings} />
      <PanelKnowledge chat={chat} settings={settings} />
      <PanelSchema chat={chat} settings={settings} />
      <Group title={t("chat.reading")}>
        <SwitchField
          label={t("chat.following")}
          hint={t("chat.following.about")}
          isOn={isFollowing}
          onChange={(isOn) => set({ isFollowing: isOn })}
        />
        <SwitchField
          label={t("chat.enter")}
          hint={t("chat.enter.about")}
          isOn={isEnterSending}
          onChange={(isOn) => set({ isEnterSending: isOn })}
        />
        <SwitchField
          label={t("chat.aloud")}
          hint={t("chat.aloud.about")}
          isOn={isReadOut}
          onChange={(isOn) => setChat({ isReadOut: isOn })}
        />
      </Group>
      {isKept(chat) ? <PanelFiles chat={chat} /> : null}
    </div>
  );
}
