import { Check, Copy } from "lucide-react";
import { type ReactNode, useState } from "react";
import { copyText } from "@/services/clipboard";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { Button, IconButton } from "./button";
import { joined } from "./joined";

/** The frame of a page beside the chat: its title, what it is for, its deeds, its content in one readable column. */
export function Page({
  title,
  about,
  actions,
  children,
}: {
  title: string;
  about?: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="mx-auto flex w-full max-w-5xl flex-col gap-6 px-4 py-6 sm:px-6">
      <header className="flex flex-wrap items-end gap-3">
        <div className="min-w-0 flex-1">
          <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
          {about ? <p className="mt-1 max-w-prose text-soft">{about}</p> : null}
        </div>
        {actions}
      </header>
      {children}
    </div>
  );
}

export function Card({
  title,
  actions,
  className,
  children,
}: {
  title?: string;
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section className={joined("rounded-2xl border border-line bg-raised", className)}>
      {title ? (
        <header className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2.5">
          <h2 className="min-w-0 flex-1 font-semibold">{title}</h2>
          {actions}
        </header>
      ) : null}
      <div className="p-4">{children}</div>
    </section>
  );
}

/** Nothing is here yet, and what to do about it. */
export function Empty({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 rounded-2xl border border-dashed border-line px-4 py-10 text-center text-soft">
      <p className="max-w-prose">{children}</p>
      {action}
    </div>
  );
}

/** What went wrong, where it went wrong, with a way on. */
export function Fault({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const t = useWords();
  const told = error instanceof Error ? error.message : String(error);
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-3 rounded-xl border border-danger px-3 py-2 text-sm"
    >
      <p className="min-w-0 flex-1 break-words text-danger">
        {told === "unreachable" ? t("shell.unreachable") : told}
      </p>
      {onRetry ? <Button onClick={onRetry}>{t("act.retry")}</Button> : null}
    </div>
  );
}

export function Loading() {
  const t = useWords();
  return (
    <p role="status" className="animate-pulse py-6 text-center text-soft">
      {t("state.loading")}
    </p>
  );
}

/** How far something is, from 0 to 1; null where nobody knows. */
export function Progress({ label, share }: { label: string; share: number | null }) {
  const percent = share === null ? null : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(percent === null ? {} : { "aria-valuenow": percent })}
      className="h-2 overflow-hidden rounded-full bg-sunken"
    >
      <div
        className={joined(
          "h-full rounded-full bg-accent transition-[width]",
          percent === null && "w-1/3 animate-pulse",
        )}
        style={percent === null ? undefined : { width: `${percent}%` }}
      />
    </div>
  );
}

export function Badge({
  tone = "plain",
  children,
}: {
  tone?: "plain" | "good" | "warn" | "bad";
  children: ReactNode;
}) {
  const tones = {
    plain: "bg-sunken text-soft",
    good: "bg-tint text-accent",
    warn: "bg-sunken text-warn",
    bad: "bg-sunken text-danger",
  };
  return (
    <span
      className={joined(
        "inline-flex items-center rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap",
        tones[tone],
      )}
    >
      {children}
    </span>
  );
}

/** Copies a text, and says whether that worked. */
export function CopyButton({ text, label }: { text: string | (() => string); label?: string }) {
  const t = useWords();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    const isDone = await copyText(typeof text === "string" ? text : text());
    if (!isDone) {
      tellFailure(t("act.copy.failed"));
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <>
      <IconButton label={label ?? t("act.copy")} onClick={() => void copy()}>
        {isCopied ? <Check /> : <Copy />}
      </IconButton>
      <span role="status" className="sr-only">
        {isCopied ? t("act.copied") : ""}
      </span>
    </>
  );
}

/** A piece of code or a command, to be read and copied; its first `marked` characters stand out. */
export function Snippet({ text, label, marked = 0 }: { text: string; label: string; marked?: number }) {
  return (
    <div className="relative rounded-lg border border-line bg-sunken">
      <section aria-label={label} tabIndex={0} className="overflow-x-auto rounded-lg">
        <pre className="p-3 pe-12 font-mono text-[0.8125rem] leading-relaxed">
          {marked > 0 ? <mark className="rounded bg-tint text-ink">{text.slice(0, marked)}</mark> : null}
          {text.slice(marked)}
        </pre>
      </section>
      <div className="absolute end-1 top-1">
        <CopyButton text={text} />
      </div>
    </div>
  );
}
