import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { key } from "@/services/api";
import { useConnection } from "@/stores/connection";
import { useWords } from "@/words";

/** Asks for the key of a paddock that others can reach. */
export function KeyDialog() {
  const t = useWords();
  const queries = useQueryClient();
  const { isKeyAsked, askKey } = useConnection();
  const [word, setWord] = useState("");
  const use = () => {
    key.set(word.trim());
    setWord("");
    askKey(false);
    void queries.invalidateQueries();
  };
  return (
    <Dialog
      isOpen={isKeyAsked}
      onClose={() => askKey(false)}
      title={t("shell.key.title")}
      about={t("shell.key.words")}
    >
      <form
        className="flex flex-col gap-3 pb-4"
        onSubmit={(event) => {
          event.preventDefault();
          use();
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
    </Dialog>
  );
}
