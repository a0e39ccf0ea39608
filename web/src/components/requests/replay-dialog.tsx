import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Square } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { type Arrived, type Exchange, exchange } from "@/services/exchange";
import { pretty } from "@/services/json";
import { listedModels } from "@/services/models";
import { type Recorded, sentAgain } from "@/services/recordings";
import { joinedPieces, saidBy, saidIn } from "@/services/said";
import { useWords } from "@/words";
import { DiffView } from "./diff-view";

interface Again {
  head: Exchange | null;
  arrived: Arrived[];
  state: "open" | "ended" | "stopped";
  failure: unknown;
}

const OPEN: Again = { head: null, arrived: [], state: "open", failure: null };

/** Sends a recorded request again, perhaps to another model, and shows how the answers differ. */
export function ReplayDialog({ record, onClose }: { record: Recorded; onClose: () => void }) {
  const t = useWords();
  const models = useQuery(listedModels).data ?? [];
  const [model, setModel] = useState("");
  const [again, setAgain] = useState<Again | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const body = bodyFor(record, model);
  const replay = async () => {
    if (body === null) return;
    const own = new AbortController();
    running.current = own;
    setAgain(OPEN);
    const change = (values: (was: Again) => Partial<Again>) =>
      setAgain((was) => (was ? { ...was, ...values(was) } : was));
    const headers = { ...sentAgain(record.headers), "x-paddock-record": "1" };
    try {
      await exchange(record.path, body, headers, own.signal, {
        onHead: (head) => change(() => ({ head })),
        onEvents: (fresh) => change(({ arrived }) => ({ arrived: [...arrived, ...fresh] })),
      });
      change(() => ({ state: "ended" }));
    } catch (failure) {
      change(() => (own.signal.aborted ? { state: "stopped" } : { state: "ended", failure }));
    }
  };
  const isBusy = again?.state === "open";
  const recording = again?.head?.headers.find(([name]) => name === "x-paddock-recording")?.[1];
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("replay.title")}
      about={t("replay.about")}
      foot={
        <>
          {recording && !isBusy ? (
            <Link
              to="/requests"
              search={{ id: recording }}
              onClick={onClose}
              className="flex min-h-9 items-center px-3 text-sm text-accent underline"
            >
              {t("replay.open")}
            </Link>
          ) : null}
          {isBusy ? (
            <Button onClick={() => running.current?.abort()}>
              <Square className="size-4" />
              {t("play.stop")}
            </Button>
          ) : null}
          <Button kind="strong" disabled={isBusy || body === null} onClick={() => void replay()}>
            {t("req.replay")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        {body === null ? <Fault error={t("replay.cut")} /> : null}
        <ChoiceField
          label={t("replay.model")}
          value={model}
          choices={[
            { value: "", label: t("replay.model.same", { model: record.model ?? t("req.model.none") }) },
            ...models.map(({ id }) => ({ value: id, label: id })),
          ]}
          onChange={(event) => setModel(event.target.value)}
        />
        {again ? <Compared record={record} again={again} /> : null}
      </div>
    </Dialog>
  );
}

function Compared({ record, again: { head, arrived, state, failure } }: { record: Recorded; again: Again }) {
  const t = useWords();
  const states = {
    open: t("play.state.open"),
    stopped: t("play.state.stopped"),
    ended: failure ? t("play.state.failed") : t("play.state.ended"),
  };
  const now = head && head.status >= 300 ? wordsOf(arrived) : textOf(joinedPieces(arrived.flatMap(piecesOf)));
  const before = textOf(saidIn(record.sections.outbound ?? "")) || pretty(record.sections.outbound ?? "");
  return (
    <>
      <p role="status" className="text-sm text-soft">
        {states[state]} {t("replay.events", { n: arrived.length })}
      </p>
      {failure ? <Fault error={failure} /> : null}
      {head && head.status !== record.status ? (
        <p className="text-sm text-warn">
          {t("replay.status", { before: String(record.status), now: String(head.status) })}
        </p>
      ) : null}
      {head ? (
        <DiffView
          label={t("replay.beside")}
          left={before}
          right={now}
          leftTitle={t("replay.before")}
          rightTitle={t("replay.now")}
        />
      ) : null}
    </>
  );
}

const textOf = (pieces: { text: string }[]) => pieces.map(({ text }) => text).join("\n");
const wordsOf = (arrived: Arrived[]) => arrived.map(({ data }) => pretty(data)).join("\n");

function piecesOf({ data }: Arrived) {
  try {
    return saidBy(JSON.parse(data));
  } catch {
    return [];
  }
}

/** The recorded body, for another model if one is named; null where it was cut, or was no object. */
function bodyFor(record: Recorded, model: string): string | null {
  const text = record.sections.inbound ?? "";
  try {
    const body: unknown = JSON.parse(text);
    if (record.cut.includes("inbound") || typeof body !== "object" || body === null) return null;
    return model ? JSON.stringify({ ...body, model }) : text;
  } catch {
    return null;
  }
}
