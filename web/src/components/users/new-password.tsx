import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { useWords } from "@/words";

/** What a password needs, as the server asks it too. */
const LEAST = 10;

interface Props {
  name: string;
  act: string;
  onChosen: (password: string, present: string) => Promise<void>;
  /** Whether the present one is asked for. */
  asksPresent?: boolean;
}

/** A password that is chosen, typed twice. */
export function NewPassword({ name, act, onChosen, asksPresent = false }: Props) {
  const t = useWords();
  const [present, setPresent] = useState("");
  const [first, setFirst] = useState("");
  const [second, setSecond] = useState("");
  const isOther = second.length > 0 && first !== second;
  const isReady = first.length >= LEAST && first === second && (!asksPresent || present.length > 0);
  const choose = useMutation({
    mutationFn: () => onChosen(first, present),
    onSuccess: () => {
      setPresent("");
      setFirst("");
      setSecond("");
    },
  });
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        choose.mutate();
      }}
    >
      {/* Keepers of passwords want to know whose it is. */}
      <input type="text" value={name} autoComplete="username" readOnly hidden aria-hidden />
      {asksPresent ? (
        <TextField
          label={t("sign.password.present")}
          type="password"
          autoComplete="current-password"
          value={present}
          onChange={(event) => setPresent(event.target.value)}
        />
      ) : null}
      <TextField
        label={t("sign.password.new")}
        hint={t("sign.password.hint", { n: LEAST })}
        type="password"
        autoComplete="new-password"
        value={first}
        onChange={(event) => setFirst(event.target.value)}
      />
      <TextField
        label={t("sign.password.again")}
        fault={isOther ? t("sign.password.other") : undefined}
        type="password"
        autoComplete="new-password"
        value={second}
        onChange={(event) => setSecond(event.target.value)}
      />
      {choose.error ? <Fault error={choose.error} /> : null}
      <Button kind="strong" type="submit" disabled={choose.isPending || !isReady} className="self-end">
        {act}
      </Button>
    </form>
  );
}
