import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { SwitchField, TextField } from "@/components/ui/field";
import { Fault, Snippet } from "@/components/ui/pieces";
import type { Export } from "@/services/exports";
import { foresee, type PushCard, pushesOf, startPush } from "@/services/pushes";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** Sends an export's files to the hub; what would be sent is shown first, if asked for. */
export function PushDialog({ job, onClose }: { job: Export; onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const [repo, setRepo] = useState("");
  const [isPrivate, setPrivate] = useState(true);
  const [uncertified, setUncertified] = useState(false);
  const wish = { repo: repo.trim(), is_public: !isPrivate, uncertified };
  const looking = useMutation({ mutationFn: () => foresee(job.id, wish) });
  const pushing = useMutation({
    mutationFn: () => startPush(job.id, wish),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: pushesOf(job.id).queryKey });
      onClose();
    },
  });
  const error = pushing.error ?? looking.error;
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("push.one", { name: job.name })}
      about={t("push.about")}
      foot={
        <>
          <Button kind="quiet" onClick={onClose}>
            {t("act.cancel")}
          </Button>
          <Button disabled={!wish.repo || looking.isPending} onClick={() => looking.mutate()}>
            {t("push.preview")}
          </Button>
          <Button kind="strong" type="submit" form="push" disabled={!wish.repo || pushing.isPending}>
            {t("push")}
          </Button>
        </>
      }
    >
      <form
        id="push"
        className="flex flex-col gap-4 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          pushing.mutate();
        }}
      >
        <TextField
          label={t("push.repo")}
          hint={t("push.repo.hint")}
          value={repo}
          spellCheck={false}
          autoCapitalize="off"
          onChange={(event) => setRepo(event.target.value)}
        />
        <SwitchField
          label={t("push.private")}
          hint={t("push.private.hint")}
          isOn={isPrivate}
          onChange={setPrivate}
        />
        <SwitchField
          label={t("push.uncertified")}
          hint={t("push.uncertified.hint")}
          isOn={uncertified}
          onChange={setUncertified}
        />
        {error ? <Fault error={error} /> : null}
        {looking.data ? <Foreseen found={looking.data} /> : null}
      </form>
    </Dialog>
  );
}

function Foreseen({ found: { card, files, left_out } }: { found: PushCard }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <div className="flex flex-col gap-3 text-sm">
      <ul aria-label={t("push.files")}>
        {files.map(({ name, size_bytes }) => (
          <li key={name} className="break-all">
            <code className="font-mono">{name}</code> {a.bytes(size_bytes)}
          </li>
        ))}
        {Object.entries(left_out).map(([kind, why]) => (
          <li key={kind} className="text-soft">
            {t("push.left", { kind, why })}
          </li>
        ))}
      </ul>
      <Snippet label={t("push.card")} text={card} />
    </div>
  );
}
