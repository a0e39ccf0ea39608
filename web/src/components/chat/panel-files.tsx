import { Download } from "lucide-react";
import { Button } from "@/components/ui/button";
import { type ExportForm, files } from "@/services/chats";
import { threadOf } from "@/stores/chat";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { Group } from "./panel-group";

/** This chat as a file. */
export function PanelFiles({ chat }: { chat: string }) {
  const t = useWords();
  const name = () => (threadOf(chat).chat.title || chat).replace(/[^\p{L}\p{N} _-]/gu, "").trim() || chat;
  const save = (form: ExportForm) => void files.save(form, name(), { id: chat }).catch(tellFailure);
  return (
    <Group title={t("chat.files")}>
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => save("json")}>
          <Download className="size-4" aria-hidden />
          {t("chat.files.json")}
        </Button>
        <Button onClick={() => save("markdown")}>
          <Download className="size-4" aria-hidden />
          {t("chat.files.markdown")}
        </Button>
      </div>
    </Group>
  );
}
