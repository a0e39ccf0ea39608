import { useQuery } from "@tanstack/react-query";
import { SwitchField } from "@/components/ui/field";
import type { Settings } from "@/services/chat-shapes";
import { whoAsks } from "@/services/session";
import { serverTools, type Tool } from "@/services/tools";
import { changeSettings } from "@/stores/chat-drafts";
import { useWords } from "@/words";
import { Group } from "./panel-group";
import { PanelWork } from "./panel-work";
import { ToolCalls } from "./tool-calls";
import { ToolPermission } from "./tool-permission";

/** Which of the server's own tools the model may use in this chat. */
export function PanelTools({ chat, settings }: { chat: string; settings: Settings }) {
  const t = useWords();
  const { data } = useQuery(serverTools);
  const { data: who } = useQuery(whoAsks);
  const mayAll = who?.rights.includes("tools") ?? false;
  const open = (data ?? []).filter((one) => one.is_harmless || mayAll);
  if (open.length === 0) return null;
  const chosen = settings.tools ?? [];
  const turn = (name: string, isOn: boolean) => {
    const others = chosen.filter((one) => one !== name);
    const tools = isOn ? [...others, name] : others;
    changeSettings(chat, { tools: tools.length > 0 ? tools : null });
  };
  return (
    <>
      <Group title={t("chat.tools")}>
        <p className="text-xs text-soft">{t("chat.tools.about")}</p>
        {[...grouped(open)].map(([name, tools]) => {
          const why = tools.find((one) => one.why_off)?.why_off;
          return (
            <div key={name} className="flex flex-col gap-2">
              <SwitchField
                label={name}
                hint={why ? t("chat.tools.off", { why }) : told(tools)}
                isOn={chosen.includes(name)}
                isDisabled={why !== undefined && !chosen.includes(name)}
                onChange={(isOn) => turn(name, isOn)}
              />
              {mayAll && chosen.includes(name) ? <ToolPermission name={name} tools={tools} /> : null}
            </div>
          );
        })}
        {mayAll ? <ToolCalls chat={chat} /> : null}
      </Group>
      {mayAll && open.some((one) => !one.is_harmless && chosen.includes(one.group || one.name)) ? (
        <PanelWork chat={chat} />
      ) : null}
    </>
  );
}

/** The tools by the name that turns them on. */
function grouped(tools: readonly Tool[]): Map<string, Tool[]> {
  const groups = new Map<string, Tool[]>();
  for (const tool of tools) {
    const name = tool.group || tool.name;
    groups.set(name, [...(groups.get(name) ?? []), tool]);
  }
  return groups;
}

const told = (tools: readonly Tool[]) => tools.map((one) => one.description).join(" ");
