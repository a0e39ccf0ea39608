import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge } from "@/components/ui/pieces";
import { serverTools } from "@/services/tools";
import { removeServer, type ToolServer, toolServers, turnServer } from "@/services/toolservers";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

const TONES = { ready: "good", starting: "warn", failed: "bad", off: undefined, ended: undefined } as const;

/** One server: what it is, how it is, and what it offers. */
export function ServerRow({ server, mayChange }: { server: ToolServer; mayChange: boolean }) {
  const t = useWords();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<"enable" | "remove" | null>(null);
  const [isBusy, setBusy] = useState(false);
  const tone = TONES[server.state];
  const act = async (deed: () => Promise<unknown>) => {
    setAsked(null);
    setBusy(true);
    try {
      await deed();
    } catch (failure) {
      tellFailure(failure);
    }
    setBusy(false);
    await Promise.all(
      [toolServers, serverTools].map(({ queryKey }) => queries.invalidateQueries({ queryKey })),
    );
  };
  const leftOut = Object.entries(server.left_out);
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{server.name}</span>
          <Badge {...(tone ? { tone } : {})}>{t(`servers.state.${server.state}`)}</Badge>
          {server.title ? <span className="text-sm break-words text-soft">{server.title}</span> : null}
        </p>
        {server.goes_to ? (
          <p className="mt-1 font-mono text-sm break-all text-soft">{server.goes_to}</p>
        ) : null}
        {server.error ? <p className="mt-1 text-sm break-words text-danger">{server.error}</p> : null}
        {server.tools.length > 0 || leftOut.length > 0 ? (
          <details className="mt-1 text-sm">
            <summary className="cursor-pointer text-soft">
              {t("servers.tools", { n: server.tools.length })}
            </summary>
            <ul className="mt-1 flex flex-col gap-1">
              {server.tools.map((one) => (
                <li key={one.name} className="break-words">
                  <code className="font-mono">{one.name}</code>{" "}
                  <span className="text-soft">{one.description}</span>
                </li>
              ))}
              {leftOut.map(([name, why]) => (
                <li key={name} className="break-words text-soft">
                  {t("servers.left", { name, why })}
                </li>
              ))}
            </ul>
          </details>
        ) : null}
      </div>
      {mayChange ? (
        <div className="flex flex-wrap gap-2">
          <Button
            disabled={isBusy}
            aria-label={t(server.is_enabled ? "servers.disable.one" : "servers.enable.one", {
              name: server.name,
            })}
            onClick={() =>
              server.is_enabled ? void act(() => turnServer(server.name, false)) : setAsked("enable")
            }
          >
            {t(server.is_enabled ? "servers.disable" : "servers.enable")}
          </Button>
          <Button
            disabled={isBusy}
            aria-label={t("servers.remove.one", { name: server.name })}
            onClick={() => setAsked("remove")}
          >
            {t("servers.remove")}
          </Button>
        </div>
      ) : null}
      {asked === "enable" ? (
        <Dialog
          isOpen
          onClose={() => setAsked(null)}
          title={t("servers.enable.title", { name: server.name })}
          about={t(server.kind === "stdio" ? "servers.enable.program" : "servers.enable.address")}
          foot={
            <>
              <Button onClick={() => setAsked(null)}>{t("act.cancel")}</Button>
              <Button kind="strong" onClick={() => void act(() => turnServer(server.name, true))}>
                {t("servers.enable")}
              </Button>
            </>
          }
        >
          <p className="pb-3 font-mono text-sm break-all">{server.goes_to}</p>
        </Dialog>
      ) : null}
      {asked === "remove" ? (
        <Dialog
          isOpen
          onClose={() => setAsked(null)}
          title={t("servers.remove.title", { name: server.name })}
          about={t("servers.remove.about")}
          foot={
            <>
              <Button onClick={() => setAsked(null)}>{t("act.cancel")}</Button>
              <Button kind="danger" onClick={() => void act(() => removeServer(server.name))}>
                {t("servers.remove")}
              </Button>
            </>
          }
        />
      ) : null}
    </li>
  );
}
