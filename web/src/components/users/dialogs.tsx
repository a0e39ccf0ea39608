import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField, TextField } from "@/components/ui/field";
import { Fault, Snippet } from "@/components/ui/pieces";
import { type User, users } from "@/services/session";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

const ROLES = ["user", "admin"] as const;

/** Makes an account; its link is shown next. */
export function CreateUser({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (made: { name: string; link: string }) => void;
}) {
  const t = useWords();
  const [name, setName] = useState("");
  const [role, setRole] = useState<User["role"]>("user");
  const create = useMutation({ mutationFn: () => users.create(name.trim(), role), onSuccess: onMade });
  return (
    <Dialog isOpen onClose={onClose} title={t("users.create")} about={t("users.create.about")}>
      <form
        className="flex flex-col gap-4 pb-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField
          label={t("users.name")}
          hint={t("users.name.hint")}
          maxLength={64}
          autoComplete="off"
          autoCapitalize="none"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <ChoiceField
          label={t("users.role")}
          hint={t(`users.role.${role}.about`)}
          value={role}
          choices={ROLES.map((value) => ({ value, label: t(`users.role.${value}`) }))}
          onChange={(event) => setRole(event.target.value as User["role"])}
        />
        {create.error ? <Fault error={create.error} /> : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="strong" type="submit" disabled={create.isPending || !name.trim()}>
            {t("users.create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Shows a link, to be handed to its account's owner. */
export function LinkDialog({ name, link, onClose }: { name: string; link: string; onClose: () => void }) {
  const t = useWords();
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("users.link.for", { name })}
      about={t("users.link.about")}
      foot={
        <Button kind="strong" onClick={onClose}>
          {t("users.link.done")}
        </Button>
      }
    >
      <div className="pb-3">
        <Snippet label={t("users.link.for", { name })} text={link} />
      </div>
    </Dialog>
  );
}

/** Asks before an account goes, with its chats. */
export function RemoveUser({
  name,
  onClose,
  onRemoved,
}: {
  name: string;
  onClose: () => void;
  onRemoved: () => void;
}) {
  const t = useWords();
  const remove = async () => {
    onClose();
    await users.remove(name).catch(tellFailure);
    onRemoved();
  };
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("users.remove.title", { name })}
      about={t("users.remove.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="danger" onClick={() => void remove()}>
            {t("users.remove")}
          </Button>
        </>
      }
    />
  );
}
