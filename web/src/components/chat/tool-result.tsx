import { Download, Wrench } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import type { ResultPart, ToolFile } from "@/services/chat-shapes";
import { saveToolFile, toolFile } from "@/services/tools";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { CODE, Fold, pretty } from "./fold";
import { Picture } from "./picture";

/** What a tool answered, and the files that it made: pictures are shown, others can be saved. */
export function ToolResult({ part }: { part: ResultPart }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  const files = part.files ?? [];
  return (
    <>
      <Fold
        icon={<Wrench aria-hidden />}
        title={t(part.is_error ? "chat.result.failed" : "chat.result")}
        isOpen={isOpen}
        onToggle={() => setOpen(!isOpen)}
      >
        <pre className={joined(CODE, part.is_error && "text-danger")}>{pretty(part.output)}</pre>
      </Fold>
      {files.map((file) =>
        file.media_type.startsWith("image/") && file.media_type !== "image/svg+xml" ? (
          <Picture
            key={file.path}
            id={file.url ?? file.path}
            load={() => toolFile(file)}
            alt={file.path}
            gone={t("chat.file.gone", { name: file.path })}
            className="max-h-96"
          />
        ) : (
          <Saved key={file.path} file={file} />
        ),
      )}
    </>
  );
}

function Saved({ file }: { file: ToolFile }) {
  const t = useWords();
  const a = useAmounts();
  const [isGone, setGone] = useState(false);
  if (isGone) return <p className="text-sm text-soft">{t("chat.file.gone", { name: file.path })}</p>;
  return (
    <Button
      className="my-1 me-2"
      disabled={!file.url}
      onClick={() => void saveToolFile(file).catch(() => setGone(true))}
    >
      <Download className="size-4" aria-hidden />
      {file.path} <span className="text-soft">{a.bytes(file.size_bytes)}</span>
    </Button>
  );
}
