import { Download } from "lucide-react";
import { Button } from "@/components/ui/button";
import { saveFile } from "@/services/files";
import { shownBranch, threadOf } from "@/stores/chat";
import { textOf } from "@/stores/chat-tree";
import { useWords } from "@/words";
import { Group } from "./panel-group";

/** This chat as a file. */
export function PanelFiles({ chat }: { chat: string }) {
  const t = useWords();
  const name = () => (threadOf(chat).chat.title || chat).replace(/[^\p{L}\p{N} _-]/gu, "").trim() || chat;
  const asJson = () => {
    const { chat: head, messages } = threadOf(chat);
    const whole = { ...head, messages: Object.values(messages) };
    saveFile(`${name()}.json`, JSON.stringify(whole, null, 2), "application/json");
  };
  const asMarkdown = () => {
    const thread = threadOf(chat);
    const said = shownBranch(thread).map((id) => {
      const message = thread.messages[id];
      const who =
        message?.role === "user" ? t("chat.message.user") : (message?.model ?? t("chat.message.assistant"));
      return `## ${who}\n\n${textOf(message?.content ?? [])}\n`;
    });
    saveFile(`${name()}.md`, `# ${thread.chat.title ?? ""}\n\n${said.join("\n")}`, "text/markdown");
  };
  return (
    <Group title={t("chat.files")}>
      <div className="flex flex-wrap gap-2">
        <Button onClick={asJson}>
          <Download className="size-4" aria-hidden />
          {t("chat.files.json")}
        </Button>
        <Button onClick={asMarkdown}>
          <Download className="size-4" aria-hidden />
          {t("chat.files.markdown")}
        </Button>
      </div>
    </Group>
  );
}
