import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useWords } from "@/words";
import { IconButton } from "./button";
import { joined } from "./joined";

interface Props {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  /** A sentence under the title, read out with it. */
  about?: string;
  children?: ReactNode;
  /** Buttons at the foot, which stay in view while the rest scrolls. */
  foot?: ReactNode;
  isWide?: boolean;
}

/** A window over the page; on a phone a sheet that comes up from below. */
export function Dialog({ isOpen, onClose, title, about, children, foot, isWide = false }: Props) {
  const t = useWords();
  return (
    <Radix.Root open={isOpen} onOpenChange={(open) => open || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Radix.Content
          tabIndex={-1}
          onOpenAutoFocus={focusFirst}
          {...(about ? {} : { "aria-describedby": undefined })}
          className={joined(
            "fixed z-40 flex max-h-[90dvh] flex-col border border-line bg-raised shadow-xl",
            "inset-x-0 bottom-0 rounded-t-2xl sm:inset-x-auto sm:top-1/2 sm:bottom-auto sm:left-1/2 sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl",
            isWide ? "sm:w-[min(56rem,94vw)]" : "sm:w-[min(32rem,94vw)]",
          )}
        >
          <header className="flex items-start gap-3 px-5 pt-4 pb-2">
            <div className="min-w-0 flex-1">
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              {about ? (
                <Radix.Description className="mt-1 text-sm text-soft">{about}</Radix.Description>
              ) : null}
            </div>
            <IconButton label={t("act.close")} onClick={onClose}>
              <X />
            </IconButton>
          </header>
          <section aria-label={title} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-5 py-2">
            {children}
          </section>
          {foot ? (
            <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">
              {foot}
            </footer>
          ) : null}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Begin at the first field; a window without one takes the focus itself, so that no button shows its tip at once. */
function focusFirst(event: Event): void {
  if (!(event.currentTarget instanceof HTMLElement)) return;
  event.preventDefault();
  const field = event.currentTarget.querySelector<HTMLElement>("input, textarea, select, [data-first]");
  (field ?? event.currentTarget).focus();
}
