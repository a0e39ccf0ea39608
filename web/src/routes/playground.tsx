import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Play, Square } from "lucide-react";
import { useEffect, useState } from "react";
import { AnswerCard } from "@/components/playground/answer";
import { BodyEditor } from "@/components/playground/body-editor";
import { BodyForm } from "@/components/playground/body-form";
import { Snippets } from "@/components/playground/snippets";
import { Tabs } from "@/components/playground/tabs";
import { Button } from "@/components/ui/button";
import { SwitchField } from "@/components/ui/field";
import { Card, Page } from "@/components/ui/pieces";
import { DIALECT_NAMES, DIALECTS, type DialectName } from "@/services/dialects";
import { faultOf } from "@/services/json";
import { listedModels } from "@/services/models";
import { usePlayground } from "@/stores/playground";
import { useWords } from "@/words";

const NAMES: Record<DialectName, string> = {
  chat: "Chat Completions",
  messages: "Messages",
  responses: "Responses",
};

const laidOut = (body: Record<string, unknown>) => JSON.stringify(body, null, 2);

export function PlaygroundRoute() {
  const t = useWords();
  const { dialect, bodies, answer, isRecorded, choose, record, send, stop, write } = usePlayground();
  const body = bodies[dialect] ?? "{}";
  const isBusy = answer?.state === "open";
  const canSend = !isBusy && objectIn(body) !== null;
  const recording = answer?.head?.headers.find(([name]) => name === "x-paddock-recording")?.[1];
  useFirstBody();
  return (
    <Page title={t("nav.playground")} about={t("play.about")}>
      <Tabs
        label={t("play.dialect")}
        value={dialect}
        onChange={choose}
        tabs={DIALECT_NAMES.map((name) => ({
          name,
          label: NAMES[name],
          content: (
            <p className="text-sm text-soft">
              <code className="font-mono">POST {DIALECTS[name].path}</code>
            </p>
          ),
        }))}
      />
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <Card title={t("play.request")}>
          <form
            className="flex flex-col gap-4"
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.nativeEvent.isComposing)
                event.currentTarget.requestSubmit();
            }}
            onSubmit={(event) => {
              event.preventDefault();
              if (canSend) void send();
            }}
          >
            <Body dialect={dialect} body={body} onChange={write} />
            <SwitchField
              label={t("play.record")}
              hint={t("play.record.hint")}
              isOn={isRecorded}
              onChange={record}
            />
            <div className="flex flex-wrap justify-end gap-2">
              {isBusy ? (
                <Button onClick={stop}>
                  <Square className="size-4" />
                  {t("play.stop")}
                </Button>
              ) : null}
              <Button kind="strong" type="submit" disabled={!canSend}>
                <Play className="size-4" />
                {t("play.send")}
                <kbd aria-hidden className="font-mono text-xs coarse:hidden">
                  Ctrl ↵
                </kbd>
              </Button>
            </div>
          </form>
        </Card>
        <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-14">
          <AnswerCard answer={answer} />
          {recording && !isBusy ? (
            <Link
              to="/requests"
              search={{ id: recording }}
              className="self-end text-sm text-accent underline"
            >
              {t("play.recording")}
            </Link>
          ) : null}
        </div>
      </div>
      <Card title={t("play.snippets")}>
        <Snippets />
      </Card>
    </Page>
  );
}

type View = "form" | "json";

/** Two views of the very same body. */
function Body({
  dialect,
  body,
  onChange,
}: {
  dialect: DialectName;
  body: string;
  onChange: (body: string) => void;
}) {
  const t = useWords();
  const [view, setView] = useState<View>("form");
  const read = objectIn(body);
  const form = read ? (
    <BodyForm dialect={dialect} body={read} onChange={(changed) => onChange(laidOut(changed))} />
  ) : (
    <p className="text-sm text-soft">{t("play.form.wrong")}</p>
  );
  return (
    <Tabs
      label={t("play.view")}
      value={view}
      onChange={setView}
      tabs={[
        { name: "form", label: t("play.view.form"), content: form },
        { name: "json", label: "JSON", content: <BodyEditor text={body} onChange={onChange} /> },
      ]}
    />
  );
}

/** The object that a text is; null where it is none. */
function objectIn(text: string): Record<string, unknown> | null {
  if (faultOf(text)) return null;
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** Before the first request of a dialect: a body with the first model and a question. */
function useFirstBody(): void {
  const t = useWords();
  const { dialect, bodies, write } = usePlayground();
  const models = useQuery(listedModels).data;
  const isEmpty = bodies[dialect] === null;
  useEffect(() => {
    if (isEmpty && models) write(laidOut(DIALECTS[dialect].first(models[0]?.id ?? "", t("play.first"))));
  }, [dialect, isEmpty, models, t, write]);
}
