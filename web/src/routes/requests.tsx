import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { OpenList, RequestList } from "@/components/requests/list";
import { Opened } from "@/components/requests/opened";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { SwitchField } from "@/components/ui/field";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { clearRecordings, type Recordings, recordings, turnRecording } from "@/services/recordings";
import { tellFailure, useNotices } from "@/stores/notices";
import { useWords } from "@/words";

export function RequestsRoute() {
  const { id } = useSearch({ from: "/requests" });
  return id ? <Opened id={id} /> : <Every />;
}

function Every() {
  const t = useWords();
  const { data, error, refetch } = useQuery(recordings);
  const [isClearing, setClearing] = useState(false);
  const count = data?.data.length ?? 0;
  return (
    <Page
      title={t("nav.requests")}
      about={t("req.about")}
      actions={
        count > 0 && data?.can_change ? (
          <Button kind="danger" onClick={() => setClearing(true)}>
            {t("req.clear")}
          </Button>
        ) : null
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <RecordingSwitch recorded={data} /> : error ? null : <Loading />}
      {data && data.open.length > 0 ? <OpenList open={data.open} /> : null}
      {data && count > 0 ? <RequestList records={data.data} /> : null}
      {data && count === 0 ? <Empty>{t(data.recording ? "req.empty.on" : "req.empty.off")}</Empty> : null}
      {isClearing ? <Clearing count={count} onClose={() => setClearing(false)} /> : null}
    </Page>
  );
}

function RecordingSwitch({ recorded }: { recorded: Recordings }) {
  const t = useWords();
  const queries = useQueryClient();
  const turn = async (isOn: boolean) => {
    try {
      await turnRecording(isOn);
    } catch (failure) {
      tellFailure(failure);
    }
    await queries.invalidateQueries({ queryKey: recordings.queryKey });
  };
  return (
    <div className="rounded-2xl border border-line bg-raised px-4 py-3">
      <SwitchField
        label={t("req.recording")}
        hint={t(recorded.can_change ? "req.recording.hint" : "req.recording.others")}
        isOn={recorded.recording}
        isDisabled={!recorded.can_change}
        onChange={(isOn) => void turn(isOn)}
      />
    </div>
  );
}

function Clearing({ count, onClose }: { count: number; onClose: () => void }) {
  const t = useWords();
  const queries = useQueryClient();
  const { tell } = useNotices();
  const clear = async () => {
    onClose();
    try {
      const { removed } = await clearRecordings();
      tell({ kind: "done", text: t("req.cleared", { n: removed }) });
    } catch (failure) {
      tellFailure(failure);
    }
    await queries.invalidateQueries({ queryKey: recordings.queryKey });
  };
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("req.clear.title")}
      about={t("req.clear.about", { n: count })}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="danger" onClick={() => void clear()}>
            {t("req.clear")}
          </Button>
        </>
      }
    />
  );
}
