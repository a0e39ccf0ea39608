import { ChevronDown } from "lucide-react";
import { Collapsible } from "radix-ui";
import type { ReactNode } from "react";
import { Snippet } from "@/components/ui/pieces";
import { type Client, type Clients, exportLines } from "@/services/clients";
import { type Key, useWords } from "@/words";

/** What to do for one client, step by step. */
export function ClientCard({ client, about }: { client: Client; about: Clients }) {
  const t = useWords();
  const name = client.title;
  const variables = Object.keys(client.environment).length > 0;
  const isLong = client.prompt_tokens > about.context_length;
  return (
    <Collapsible.Root className="rounded-2xl border border-line bg-raised">
      <h2>
        <Collapsible.Trigger className="group flex min-h-12 w-full items-center gap-3 rounded-2xl px-4 py-2.5 text-start">
          <span className="min-w-0 flex-1 items-baseline gap-3 sm:flex">
            <span className="block font-semibold">{name}</span>
            <span className="block text-sm text-soft">{t(`connect.is.${client.client}` as Key)}</span>
          </span>
          <ChevronDown className="size-4 shrink-0 text-soft transition-transform group-data-[state=open]:rotate-180" />
        </Collapsible.Trigger>
      </h2>
      <Collapsible.Content className="border-t border-line p-4">
        <div className="flex flex-col gap-4">
          {isLong ? (
            <p className="text-sm text-warn">
              {t("connect.long", {
                name,
                need: client.prompt_tokens,
                have: about.context_length,
                wanted: String(client.prompt_tokens * 2),
              })}
            </p>
          ) : null}
          <ol className="flex list-decimal flex-col gap-4 ps-5">
            {client.install ? (
              <Step words={t("connect.install", { name })}>
                <Snippet label={t("connect.install", { name })} text={client.install} />
              </Step>
            ) : null}
            {client.file ? (
              <Step words={t("connect.file", { path: `~/${client.file.path}` })}>
                <Snippet label={client.file.path} text={client.file.text.trimEnd()} />
              </Step>
            ) : null}
            {variables ? (
              <Step words={t(client.file && client.client !== "codex" ? "connect.or" : "connect.variables")}>
                <Snippet label={t("connect.variables")} text={exportLines(client.environment)} />
              </Step>
            ) : null}
            {client.program ? (
              <Step words={t("connect.start")}>
                <Snippet label={t("connect.start")} text={client.program} />
              </Step>
            ) : null}
          </ol>
          {client.note ? <p className="max-w-prose text-sm text-soft">{client.note}</p> : null}
          <div className="flex flex-col gap-1">
            <p className="text-sm">{t(client.program ? "connect.command.run" : "connect.command")}</p>
            <Snippet
              label={t("connect.command")}
              text={client.program ? `${client.command} --run` : client.command}
            />
          </div>
        </div>
      </Collapsible.Content>
    </Collapsible.Root>
  );
}

function Step({ words, children }: { words: string; children: ReactNode }) {
  return (
    <li>
      <div className="flex min-w-0 flex-col gap-1">
        <p className="text-sm">{words}</p>
        {children}
      </div>
    </li>
  );
}
