import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, Download, RotateCcw, Terminal } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Card, Fault, Loading, Page } from "@/components/ui/pieces";
import { send } from "@/services/api";
import { copyText } from "@/services/clipboard";
import { saveFile } from "@/services/files";
import { curlOf, type Recorded, recorded } from "@/services/recordings";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Layers } from "./layers";
import { Status } from "./list";
import { Pairs } from "./pairs";
import { ReplayDialog } from "./replay-dialog";

/** One recorded request. */
export function Opened({ id }: { id: string }) {
  const t = useWords();
  const { data, error, refetch } = useQuery(recorded(id));
  return (
    <Page
      title={t("req.one")}
      actions={
        <Link
          to="/requests"
          search={{}}
          className="flex min-h-9 items-center gap-2 rounded-lg px-3 text-sm text-soft hover:bg-sunken"
        >
          <ArrowLeft className="size-4 rtl:rotate-180" />
          {t("req.back")}
        </Link>
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Whole key={data.id} record={data} /> : error ? null : <Loading />}
    </Page>
  );
}

function Whole({ record }: { record: Recorded }) {
  const t = useWords();
  const amounts = useAmounts();
  const { tell } = useNotices();
  const [isReplaying, setReplaying] = useState(false);
  const copyCurl = async () => {
    try {
      const isCopied = await copyText(await curlOf(record.id));
      if (isCopied) tell({ kind: "done", text: t("req.curl.copied") });
      else tellFailure(t("act.copy.failed"));
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const saveCase = async () => {
    try {
      const answer = await send(new URL(`/api/requests/${record.id}/case`, location.origin).href);
      const text = await answer.text();
      if (answer.ok) saveFile(`paddock-${record.id}.jsonl`, text);
      else tellFailure(JSON.parse(text).error.message);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const notes = Object.entries(record.notes);
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <Status status={record.status} />
        <code className="font-mono text-sm">
          {record.method} {record.path}
        </code>
        <span className="text-sm text-soft">
          {record.model ?? t("req.model.none")} · {amounts.moment(record.created_s)} ·{" "}
          {amounts.duration((record.times_ms.end ?? 0) / 1000)}
        </span>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button kind="strong" onClick={() => setReplaying(true)}>
          <RotateCcw className="size-4" />
          {t("req.replay")}
        </Button>
        <Button onClick={() => void copyCurl()}>
          <Terminal className="size-4" />
          {t("req.curl")}
        </Button>
        <Button onClick={() => void saveCase()}>
          <Download className="size-4" />
          {t("req.case")}
        </Button>
      </div>
      <Card title={t("req.layers")}>
        <Layers record={record} />
      </Card>
      <PairsCard title={t("req.notes")} pairs={notes} none={t("req.notes.none")} />
      <PairsCard title={t("req.headers")} pairs={record.headers} none={t("req.headers.none")} />
      {isReplaying ? <ReplayDialog record={record} onClose={() => setReplaying(false)} /> : null}
    </>
  );
}

function PairsCard({ title, pairs, none }: { title: string; pairs: [string, string][]; none: string }) {
  return (
    <Card title={title}>
      {pairs.length === 0 ? <p className="text-sm text-soft">{none}</p> : null}
      <Pairs pairs={pairs} />
    </Card>
  );
}
