import { useQuery, useQueryClient } from "@tanstack/react-query";
import { BookmarkPlus, Save, Trash2 } from "lucide-react";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { ChoiceField } from "@/components/ui/field";
import type { Preset, Settings } from "@/services/chat-shapes";
import { presets } from "@/services/chats";
import { changeSettings } from "@/stores/chat-drafts";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { NameField } from "./name-field";

/** Settings under a name, to be taken again in other chats. */
export function PanelPresets({ chat, settings }: { chat: string; settings: Settings }) {
  const t = useWords();
  const queries = useQueryClient();
  const [isNaming, setNaming] = useState(false);
  const [chosen, setChosen] = useState("");
  const { data } = useQuery({ queryKey: ["api", "presets"], queryFn: presets.list });
  const renewed = async (deed: Promise<unknown>) => {
    try {
      await deed;
    } catch (fault) {
      tellFailure(fault);
    }
    await queries.invalidateQueries({ queryKey: ["api", "presets"] });
  };
  const preset = data?.find(({ id }) => id === chosen);
  const take = (id: string) => {
    setChosen(id);
    const found = data?.find((one) => one.id === id);
    if (found) changeSettings(chat, { ...emptied(settings), ...found.settings });
  };
  const create = (name: string) => {
    setNaming(false);
    if (!name) return;
    void renewed(presets.create(name, settings).then(({ id }) => setChosen(id)));
  };
  const remove = (gone: Preset) => {
    const undo = () => void renewed(presets.create(gone.name, gone.settings));
    void renewed(
      presets.remove(gone.id).then(() => {
        const action = { label: t("act.undo"), run: undo };
        useNotices.getState().tell({ kind: "done", text: t("chat.deleted", { title: gone.name }), action });
      }),
    );
    setChosen("");
  };
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-end gap-1">
        <ChoiceField
          className="min-w-0 flex-1"
          label={t("chat.presets")}
          value={preset ? chosen : ""}
          onChange={(event) => take(event.target.value)}
          choices={[
            { value: "", label: t("chat.presets.none") },
            ...(data ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
        />
        {preset ? (
          <>
            <IconButton
              label={t("chat.presets.update", { name: preset.name })}
              onClick={() => void renewed(presets.change(preset.id, settings))}
            >
              <Save />
            </IconButton>
            <IconButton
              label={t("chat.presets.delete", { name: preset.name })}
              onClick={() => remove(preset)}
            >
              <Trash2 />
            </IconButton>
          </>
        ) : null}
        <IconButton label={t("chat.presets.new")} onClick={() => setNaming(true)}>
          <BookmarkPlus />
        </IconButton>
      </div>
      {isNaming ? <NameField label={t("chat.presets.name")} value="" onDone={create} /> : null}
    </div>
  );
}

/** Every setting that is set, set to nothing. */
function emptied(settings: Settings): Settings {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, null]));
}
