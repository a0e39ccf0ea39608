import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField, TextField } from "@/components/ui/field";
import { Fault, Loading } from "@/components/ui/pieces";
import { keepSet, look, oneSet, type SetLook, sets } from "@/services/sets";
import { useWords } from "@/words";

const SETTLED_MS = 400;
const EXAMPLE = `{"prompt": "What is 2 + 2?", "contains": "4"}
{"prompt": "Name a colour.", "regex": "(?i)red|green|blue"}`;

/** Makes a set, or changes the one of an id; what is wrong is told by line while it is written. */
export function SetDialog({ id, onClose }: { id: string | null; onClose: () => void }) {
  const found = useQuery({ ...oneSet(id ?? ""), enabled: id !== null });
  const t = useWords();
  if (id !== null && !found.data) {
    return (
      <Dialog isOpen isWide onClose={onClose} title={t("sets.change")}>
        {found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : <Loading />}
      </Dialog>
    );
  }
  return (
    <Form
      id={id}
      first={{ name: found.data?.name ?? "", lines: found.data?.lines ?? "" }}
      onClose={onClose}
    />
  );
}

interface FormProps {
  id: string | null;
  first: { name: string; lines: string };
  onClose: () => void;
}

function Form({ id, first, onClose }: FormProps) {
  const t = useWords();
  const queries = useQueryClient();
  const [name, setName] = useState(first.name);
  const [lines, setLines] = useState(first.lines);
  const settled = useSettled(lines);
  const looked = useQuery({
    ...look(settled),
    enabled: settled.trim() !== "",
    placeholderData: keepPreviousData,
  });
  const keep = useMutation({
    mutationFn: () => keepSet(id, name.trim(), lines),
    onSuccess: onClose,
    onSettled: () => queries.invalidateQueries({ queryKey: sets.queryKey, exact: true }),
  });
  const read = async (file: File | undefined) => {
    if (!file) return;
    setLines(await file.text());
    setName((before) => before || file.name.replace(/\.[^.]*$/, "").slice(0, 100));
  };
  const isLooked = settled === lines && looked.data !== undefined && !looked.isPlaceholderData;
  const isWhole = isLooked && looked.data.faults.length === 0;
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t(id ? "sets.change" : "sets.new")}
      about={t("sets.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button
            kind="strong"
            disabled={!name.trim() || !isWhole || keep.isPending}
            onClick={() => keep.mutate()}
          >
            {t("sets.keep")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <TextField
          label={t("evaluations.name")}
          value={name}
          maxLength={100}
          onChange={(event) => setName(event.target.value)}
        />
        <AreaField
          label={t("sets.lines")}
          hint={t("sets.lines.hint")}
          rows={10}
          spellCheck={false}
          placeholder={EXAMPLE}
          className="[&_textarea]:font-mono [&_textarea]:text-xs"
          value={lines}
          onChange={(event) => setLines(event.target.value)}
        />
        <label className="text-sm">
          <span className="block font-medium">{t("sets.file")}</span>
          <input
            type="file"
            accept=".jsonl,.ndjson,.json,.txt"
            onChange={(event) => void read(event.target.files?.[0])}
          />
        </label>
        {looked.error ? <Fault error={looked.error} /> : null}
        {looked.data && settled.trim() ? <Looked look={looked.data} /> : null}
        {keep.error ? <Fault error={keep.error} /> : null}
      </div>
    </Dialog>
  );
}

/** What a set holds, or which of its lines cannot be tried and why. */
function Looked({ look: { tries, cases, has_judged, faults } }: { look: SetLook }) {
  const t = useWords();
  if (faults.length === 0) {
    const named = cases.map(({ case: words, tries: n }) => `${words} ${n}`).join(", ");
    return (
      <p role="status" className="text-sm text-soft">
        {t("sets.looked", { n: tries, cases: named })} {has_judged ? t("sets.judged") : ""}
      </p>
    );
  }
  return (
    <section aria-label={t("sets.faults")} className="text-sm">
      <p role="status" className="font-medium text-danger">
        {t("sets.faulty", { n: faults.length })}
      </p>
      <ul className="mt-1 flex max-h-48 list-disc flex-col gap-1 overflow-y-auto ps-5">
        {faults.map(({ line, says }) => (
          <li key={line} className="break-words">
            {says}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A text once nobody has changed it for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const waiting = setTimeout(() => setSettled(text), SETTLED_MS);
    return () => clearTimeout(waiting);
  }, [text]);
  return settled;
}
