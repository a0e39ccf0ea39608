import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { Fault, Progress } from "@/components/ui/pieces";
import { files, type Imported } from "@/services/chats";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

type Entry = Imported["chats"][number];

/** A file of chats is looked at, then those that are chosen are brought in. */
export function Bring() {
  const t = useWords();
  const [file, setFile] = useState<File | null>(null);
  const [found, setFound] = useState<Imported | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [fault, setFault] = useState<unknown>(null);
  const [working, setWorking] = useState<AbortController | null>(null);
  const [isOver, setOver] = useState(false);
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);

  const work = async (from: File, places: string | null) => {
    under.current?.abort();
    const stop = new AbortController();
    under.current = stop;
    setWorking(stop);
    setFault(null);
    try {
      const told = await files.bring(from, places, stop.signal);
      if (under.current !== stop) return;
      setFound(told);
      setChosen(new Set(told.chats.filter(isFree).map(({ place }) => place)));
    } catch (error) {
      if (!stop.signal.aborted) setFault(error);
    }
    if (under.current === stop) setWorking(null);
  };
  const look = (given: File | undefined) => {
    if (!given) return;
    setFile(given);
    setFound(null);
    setOver(false);
    void work(given, null);
  };
  const bring = () => {
    if (!file) return;
    setOver(true);
    void work(file, ranges(chosen));
  };
  const toggle = (place: number) => {
    const next = new Set(chosen);
    if (!next.delete(place)) next.add(place);
    setChosen(next);
  };
  const free = found?.chats.filter(isFree) ?? [];
  return (
    <section aria-labelledby="transfer-import" className="flex flex-col gap-3">
      <h3 id="transfer-import" className="font-semibold">
        {t("transfer.import")}
      </h3>
      <p className="text-sm text-soft">{t("transfer.import.about")}</p>
      <FileField onFile={look} name={file?.name ?? null} />
      {working ? (
        <div className="flex items-center gap-3">
          <Progress label={t("transfer.reading")} share={null} />
          <Button onClick={() => working.abort()}>{t("act.cancel")}</Button>
        </div>
      ) : null}
      {fault ? <Fault error={fault} onRetry={() => look(file ?? undefined)} /> : null}
      {found && !working ? (
        <>
          <p className="text-sm" role="status">
            {isOver && !found.dry_run
              ? t("transfer.brought", { n: found.chats.filter((one) => one.is_brought).length })
              : t("transfer.found", { n: found.chats.length, form: t(`transfer.form.${found.format}`) })}
          </p>
          <ul className="flex max-h-[40vh] flex-col overflow-y-auto rounded-xl border border-line">
            {found.chats.map((one) => (
              <Row
                key={one.place}
                entry={one}
                isChosen={chosen.has(one.place)}
                onToggle={found.dry_run && isFree(one) ? () => toggle(one.place) : null}
              />
            ))}
          </ul>
          {found.dry_run && free.length > 0 ? (
            <div className="flex flex-wrap gap-2">
              <Button kind="strong" disabled={chosen.size === 0} onClick={bring}>
                {t("transfer.bring", { n: chosen.size })}
              </Button>
              <Button
                onClick={() => setChosen(new Set(chosen.size > 0 ? [] : free.map(({ place }) => place)))}
              >
                {t(chosen.size > 0 ? "transfer.none" : "transfer.all")}
              </Button>
            </div>
          ) : null}
        </>
      ) : null}
    </section>
  );
}

function isFree(entry: Entry): boolean {
  return entry.fault === null && !entry.is_here && !entry.is_brought;
}

/** Places as the server reads them: 0-4,7. */
function ranges(places: ReadonlySet<number>): string {
  const found: [number, number][] = [];
  for (const place of [...places].sort((one, other) => one - other)) {
    const last = found.at(-1);
    if (last && last[1] === place - 1) last[1] = place;
    else found.push([place, place]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

function FileField({ onFile, name }: { onFile: (file: File | undefined) => void; name: string | null }) {
  const t = useWords();
  const [isOver, setOver] = useState(false);
  return (
    <label
      className={joined(
        "flex cursor-pointer flex-col items-center gap-1 rounded-xl border border-dashed px-4 py-5 text-sm focus-within:outline-2",
        isOver ? "border-accent bg-tint" : "border-line",
      )}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onFile(event.dataTransfer.files[0]);
      }}
    >
      <span className="font-medium">{name ?? t("transfer.choose")}</span>
      <span className="text-soft">{t("transfer.drop")}</span>
      <input
        type="file"
        accept=".json,.jsonl,.zip,application/json"
        className="sr-only"
        onChange={(event) => {
          onFile(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </label>
  );
}

function Row({
  entry,
  isChosen,
  onToggle,
}: {
  entry: Entry;
  isChosen: boolean;
  onToggle: (() => void) | null;
}) {
  const t = useWords();
  const { moment } = useAmounts();
  const facts = [
    t("transfer.messages", { n: entry.message_count }),
    entry.created_s > 0 ? moment(entry.created_s) : "",
    entry.is_here ? t("transfer.here") : "",
    entry.left_out.length > 0 ? t("transfer.left", { what: entry.left_out.join(", ") }) : "",
  ];
  return (
    <li className="border-b border-line last:border-b-0">
      <label className="flex items-start gap-3 px-3 py-2 text-sm">
        <input
          type="checkbox"
          className="mt-1 size-4 accent-accent"
          checked={entry.is_brought || (isChosen && onToggle !== null)}
          disabled={onToggle === null}
          onChange={() => onToggle?.()}
        />
        <span className="min-w-0 flex-1">
          <span className="block truncate">{entry.title || t("transfer.untitled")}</span>
          <span className="block text-xs text-soft">{facts.filter(Boolean).join(" · ")}</span>
          {entry.fault ? (
            <span className="block break-words text-xs text-danger">{entry.fault.slice(0, 300)}</span>
          ) : null}
        </span>
      </label>
    </li>
  );
}
