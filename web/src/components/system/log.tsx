import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useRef, useState } from "react";
import { ChoiceField, SwitchField, TextField } from "@/components/ui/field";
import { joined } from "@/components/ui/joined";
import { Card, CopyButton, Empty, Fault, Loading } from "@/components/ui/pieces";
import { LOG_LEVELS, type LogLevel, type LogLine, logLines } from "@/services/system";
import { useWords } from "@/words";

const EVERY_MS = 1500;
const TONES: Record<LogLevel, string> = {
  debug: "text-soft",
  info: "text-soft",
  warning: "text-warn",
  error: "text-danger",
};

/** What paddock logged lately, filtered on the server, followed while wanted. */
export function Log() {
  const t = useWords();
  const [level, setLevel] = useState<LogLevel>("info");
  const [asked, setAsked] = useState("");
  const [isFollowing, setFollowing] = useState(true);
  const contains = useDeferredValue(asked);
  const { data, error, refetch } = useQuery({
    ...logLines(level, contains),
    refetchInterval: isFollowing ? EVERY_MS : false,
    placeholderData: keepPreviousData,
  });
  return (
    <Card
      title={t("log.title")}
      actions={<CopyButton label={t("log.copy")} text={() => (data ?? []).map(written).join("\n")} />}
    >
      <div className="mb-3 grid items-end gap-3 sm:grid-cols-[10rem_1fr_auto]">
        <ChoiceField
          label={t("log.level")}
          value={level}
          onChange={(event) => setLevel(event.target.value as LogLevel)}
          choices={LOG_LEVELS.map((value) => ({ value, label: t(`log.level.${value}`) }))}
        />
        <TextField
          label={t("log.contains")}
          type="search"
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
        <div className="pb-1.5">
          <SwitchField label={t("log.follow")} isOn={isFollowing} onChange={setFollowing} />
        </div>
      </div>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Lines lines={data} isFollowing={isFollowing} onOnly={setAsked} /> : error ? null : <Loading />}
      <p className="mt-2 text-xs text-soft">{t("log.about")}</p>
    </Card>
  );
}

interface LinesProps {
  lines: LogLine[];
  isFollowing: boolean;
  onOnly: (requestId: string) => void;
}

function Lines({ lines, isFollowing, onOnly }: LinesProps) {
  const t = useWords();
  const box = useRef<HTMLElement>(null);
  const newest = lines.at(-1)?.number;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what moves the box
  useEffect(() => {
    if (isFollowing) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [newest, isFollowing]);
  if (lines.length === 0) return <Empty>{t("log.none")}</Empty>;
  return (
    <section
      ref={box}
      aria-label={t("log.title")}
      tabIndex={0}
      className="max-h-96 overflow-y-auto rounded-lg border border-line bg-sunken p-3"
    >
      <ol className="flex flex-col gap-1 font-mono text-[0.8125rem] leading-relaxed">
        {lines.map((line) => (
          <li key={line.number} className="flex flex-wrap gap-x-3 break-words">
            <time dateTime={new Date(line.time_s * 1000).toISOString()} className="text-soft">
              {clock(line.time_s)}
            </time>
            <span className={joined("w-16", TONES[line.level])}>{t(`log.level.${line.level}`)}</span>
            {line.request_id ? (
              <button
                type="button"
                className="text-soft underline decoration-dotted underline-offset-2"
                title={t("log.only")}
                translate="no"
                onClick={() => onOnly(line.request_id)}
              >
                {line.request_id}
              </button>
            ) : null}
            <span className="min-w-0 flex-[1_1_16rem] whitespace-pre-wrap">{line.message}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The time of day on a line, in the machine's own way, so that lines stand beneath each other. */
function clock(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

function written({ time_s, level, logger, message, request_id }: LogLine): string {
  const about = request_id ? ` [${request_id}]` : "";
  return `${new Date(time_s * 1000).toISOString()} ${level.toUpperCase()} ${logger}${about}: ${message}`;
}
