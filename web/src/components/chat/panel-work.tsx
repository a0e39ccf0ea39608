import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Download, FileUp, Trash2 } from "lucide-react";
import { useRef } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Fault } from "@/components/ui/pieces";
import { fileOf, type SessionFile, saveToolFile, sessionFiles, workFiles } from "@/services/tools";
import { isKept } from "@/stores/chat";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Group } from "./panel-group";

/** The files that the tools of this chat work on: put there, saved, taken away. */
export function PanelWork({ chat }: { chat: string }) {
  const t = useWords();
  if (isKept(chat)) return <Files chat={chat} />;
  return (
    <Group title={t("chat.work")}>
      <p className="text-xs text-soft">{t("chat.work.later")}</p>
    </Group>
  );
}

function Files({ chat }: { chat: string }) {
  const t = useWords();
  const queries = useQueryClient();
  const { data, error } = useQuery(sessionFiles(chat));
  const field = useRef<HTMLInputElement>(null);
  const renew = () => queries.invalidateQueries({ queryKey: sessionFiles(chat).queryKey });
  const put = useMutation({
    mutationFn: async (files: File[]) => {
      for (const file of files) await workFiles.put(chat, file);
    },
    onSettled: renew,
  });
  return (
    <Group
      title={t("chat.work")}
      actions={
        <Button disabled={put.isPending} onClick={() => field.current?.click()}>
          <FileUp className="size-4" aria-hidden />
          {t("chat.work.put")}
        </Button>
      }
    >
      <p className="text-xs text-soft">{t("chat.work.about")}</p>
      <input
        ref={field}
        type="file"
        multiple
        hidden
        aria-label={t("chat.work.put")}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = "";
          if (files.length > 0) put.mutate(files);
        }}
      />
      {put.error ? <Fault error={put.error} /> : null}
      {error ? <Fault error={error} /> : null}
      {data && data.length > 0 ? (
        <ul aria-label={t("chat.work")} className="flex flex-col">
          {data.map((file) => (
            <Row key={file.path} chat={chat} file={file} onGone={renew} />
          ))}
        </ul>
      ) : null}
    </Group>
  );
}

function Row({ chat, file, onGone }: { chat: string; file: SessionFile; onGone: () => void }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <li className="flex items-center gap-1 text-sm">
      <span className="min-w-0 flex-1 break-all">{file.path}</span>
      <span className="text-xs text-soft">{a.bytes(file.size_bytes)}</span>
      <IconButton
        label={t("chat.work.save", { name: file.path })}
        onClick={() => void saveToolFile(fileOf(chat, file)).catch(tellFailure)}
      >
        <Download />
      </IconButton>
      <IconButton
        label={t("chat.work.remove", { name: file.path })}
        onClick={() => void workFiles.remove(chat, file.path).catch(tellFailure).then(onGone)}
      >
        <Trash2 />
      </IconButton>
    </li>
  );
}
