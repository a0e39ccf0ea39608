import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField, ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { addServer, pairsIn, toolServers } from "@/services/toolservers";
import { useWords } from "@/words";

const KINDS = ["program", "address"] as const;

/** Adds a server, off. */
export function AddDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const [kind, setKind] = useState<(typeof KINDS)[number]>("program");
  const [name, setName] = useState("");
  const [goesTo, setGoesTo] = useState("");
  const [args, setArgs] = useState("");
  const [secrets, setSecrets] = useState("");
  const [isPrivate, setPrivate] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const isProgram = kind === "program";
  const add = async () => {
    setBusy(true);
    setFailure(null);
    const given = { name: name.trim() };
    try {
      await addServer(
        isProgram
          ? {
              ...given,
              command: goesTo.trim(),
              args: args.split("\n").filter(Boolean),
              env: pairsIn(secrets),
            }
          : { ...given, url: goesTo.trim(), headers: pairsIn(secrets), is_private: isPrivate },
      );
      await queries.invalidateQueries({ queryKey: toolServers.queryKey });
      onClose();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return (
    <Dialog isOpen onClose={onClose} title={t("servers.add")} about={t("servers.add.about")}>
      <form
        className="flex flex-col gap-4 pb-4"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <TextField
          label={t("servers.name")}
          hint={t("servers.name.hint")}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <ChoiceField
          label={t("servers.kind")}
          value={kind}
          choices={KINDS.map((value) => ({ value, label: t(`servers.kind.${value}`) }))}
          onChange={(event) => setKind(event.target.value as typeof kind)}
        />
        <TextField
          label={t(isProgram ? "servers.command" : "servers.url")}
          autoComplete="off"
          value={goesTo}
          onChange={(event) => setGoesTo(event.target.value)}
        />
        {isProgram ? (
          <AreaField
            label={t("servers.args")}
            hint={t("servers.args.hint")}
            value={args}
            onChange={(event) => setArgs(event.target.value)}
          />
        ) : null}
        <AreaField
          label={t(isProgram ? "servers.env" : "servers.headers")}
          hint={t(isProgram ? "servers.env.hint" : "servers.headers.hint")}
          value={secrets}
          onChange={(event) => setSecrets(event.target.value)}
        />
        {isProgram ? null : (
          <SwitchField
            label={t("servers.private")}
            hint={t("servers.private.hint")}
            isOn={isPrivate}
            onChange={setPrivate}
          />
        )}
        {failure ? <Fault error={failure} /> : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="strong" type="submit" disabled={isBusy || !name.trim() || !goesTo.trim()}>
            {t("servers.add")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
