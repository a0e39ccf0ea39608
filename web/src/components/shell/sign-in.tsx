import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { key } from "@/services/api";
import { session } from "@/services/session";
import { useConnection } from "@/stores/connection";
import { useWords } from "@/words";

/** Lets the reader in where paddock asks who is there: by an account, or by a key. */
export function SignIn() {
  const t = useWords();
  const queries = useQueryClient();
  const { isKeyAsked, askKey, enter } = useConnection();
  const [isByKey, setByKey] = useState(false);
  const come = () => {
    enter();
    // Also what is still on its way, which would be refused, and what was shown to whoever was here before.
    void queries.resetQueries();
  };
  return (
    <Dialog
      isOpen={isKeyAsked}
      onClose={() => askKey(false)}
      title={t(isByKey ? "shell.key.title" : "sign.title")}
      about={t(isByKey ? "shell.key.words" : "sign.about")}
    >
      {isByKey ? <ByKey onEntered={come} /> : <ByName onEntered={come} />}
      <p className="pb-4">
        <Button onClick={() => setByKey(!isByKey)}>{t(isByKey ? "sign.by.name" : "sign.by.key")}</Button>
      </p>
    </Dialog>
  );
}

function ByName({ onEntered }: { onEntered: () => void }) {
  const t = useWords();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({
    mutationFn: () => session.signIn(name.trim(), password),
    onSuccess: () => {
      setPassword("");
      // A key that this tab holds would be asked before the account.
      key.set("");
      onEntered();
    },
  });
  return (
    <form
      className="flex flex-col gap-3 pb-3"
      onSubmit={(event) => {
        event.preventDefault();
        enter.mutate();
      }}
    >
      <TextField
        label={t("sign.name")}
        autoComplete="username"
        autoCapitalize="none"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label={t("sign.password")}
        type="password"
        autoComplete="current-password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      {enter.error ? <Fault error={enter.error} /> : null}
      <Button
        kind="strong"
        type="submit"
        disabled={enter.isPending || !name.trim() || !password}
        className="self-end"
      >
        {t("sign.in")}
      </Button>
    </form>
  );
}

function ByKey({ onEntered }: { onEntered: () => void }) {
  const t = useWords();
  const [word, setWord] = useState("");
  return (
    <form
      className="flex flex-col gap-3 pb-3"
      onSubmit={(event) => {
        event.preventDefault();
        key.set(word.trim());
        setWord("");
        onEntered();
      }}
    >
      <TextField
        label={t("shell.key.label")}
        type="password"
        autoComplete="off"
        value={word}
        onChange={(event) => setWord(event.target.value)}
      />
      <Button kind="strong" type="submit" disabled={!word.trim()} className="self-end">
        {t("shell.key.use")}
      </Button>
    </form>
  );
}
