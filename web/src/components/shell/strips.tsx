import { X } from "lucide-react";
import { Button, IconButton } from "@/components/ui/button";
import { useConnection } from "@/stores/connection";
import { useNotices } from "@/stores/notices";
import { useWords } from "@/words";

/** What the page has to say, above its content and never over it. */
export function Strips() {
  const t = useWords();
  const isReached = useConnection((state) => state.isReached || state.isEnded);
  const { notices, dismiss } = useNotices();
  return (
    <div aria-live="polite" className="shrink-0">
      {isReached ? null : (
        <p className="border-b border-line bg-sunken px-4 py-2 text-sm text-warn">{t("shell.unreachable")}</p>
      )}
      {notices.map((notice) => (
        <div
          key={notice.id}
          className="flex items-center gap-2 border-b border-line bg-raised px-4 py-1.5 text-sm"
        >
          <p className={notice.kind === "failed" ? "min-w-0 flex-1 text-danger" : "min-w-0 flex-1"}>
            {notice.text}
          </p>
          {notice.action ? (
            <Button
              onClick={() => {
                notice.action?.run();
                dismiss(notice.id);
              }}
            >
              {notice.action.label}
            </Button>
          ) : null}
          <IconButton label={t("act.dismiss")} onClick={() => dismiss(notice.id)}>
            <X />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
