import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { SwitchField } from "@/components/ui/field";
import { type ToolCall, toolCalls } from "@/services/tools";
import { isKept } from "@/stores/chat";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { CODE, pretty, spelled } from "./fold";

const ALLOWED = [
  "usual",
  "request",
  "once",
  "chat",
  "always",
  "no",
  "never",
  "unanswered",
  "unasked",
  "ask",
  "unknown",
] as const;
const OUTCOMES = ["done", "failed", "too long", "refused", "cancelled"] as const;

/** Opens the list of what tools were called. */
export function ToolCalls({ chat }: { chat: string }) {
  const t = useWords();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{t("chat.calls")}</Button>
      {isOpen ? <Calls chat={chat} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function Calls({ chat, onClose }: { chat: string; onClose: () => void }) {
  const t = useWords();
  const [isHere, setHere] = useState(isKept(chat));
  const of = isHere ? chat : null;
  const { data, error, hasNextPage, fetchNextPage, isFetching } = useInfiniteQuery({
    queryKey: ["api", "tools", "calls", of],
    queryFn: ({ pageParam, signal }) => toolCalls(of, pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (last) => (last.has_more ? (last.data.at(-1)?.id ?? null) : null),
    gcTime: 0,
  });
  const calls = data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <Dialog isOpen onClose={onClose} title={t("chat.calls")} about={t("chat.calls.about")} isWide>
      {isKept(chat) ? <SwitchField label={t("chat.calls.here")} isOn={isHere} onChange={setHere} /> : null}
      {error ? (
        <p role="alert" className="text-sm text-danger">
          {error.message}
        </p>
      ) : null}
      {data && calls.length === 0 ? <p className="py-4 text-sm text-soft">{t("chat.calls.none")}</p> : null}
      <ul className="divide-y divide-line">
        {calls.map((call) => (
          <Row key={call.id} call={call} />
        ))}
      </ul>
      {hasNextPage ? (
        <Button disabled={isFetching} onClick={() => void fetchNextPage()}>
          {t("chat.calls.more")}
        </Button>
      ) : null}
    </Dialog>
  );
}

function Row({ call }: { call: ToolCall }) {
  const t = useWords();
  const { moment, duration } = useAmounts();
  const allowed = ALLOWED.find((one) => one === call.allowed);
  const outcome = OUTCOMES.find((one) => one === call.outcome);
  const told = [
    allowed ? t(`chat.calls.allowed.${allowed}`) : call.allowed,
    outcome ? t(`chat.calls.outcome.${outcome}`) : call.outcome,
    ...(call.outcome === "refused" ? [] : [duration(call.duration_s)]),
  ];
  return (
    <li className="py-2">
      <p className="flex flex-wrap gap-x-3 text-sm">
        <span className="font-medium">{call.tool}</span>
        <span className="text-soft">{moment(call.at)}</span>
        <span className="text-soft">{call.who}</span>
      </p>
      <p className="text-sm text-soft">{told.join(" · ")}</p>
      <pre className={CODE}>{spelled(pretty(call.arguments))}</pre>
    </li>
  );
}
