import { useQuery } from "@tanstack/react-query";
import { Fault, Loading } from "@/components/ui/pieces";
import { type Failed, failedTries } from "@/services/evaluations";
import { useWords } from "@/words";

/** The tries of an evaluation that did not pass: what was asked, what came, and what is wrong with it. */
export function FailedTries({ id }: { id: string }) {
  const t = useWords();
  const found = useQuery(failedTries(id));
  if (found.isPending) return <Loading />;
  if (found.error) return <Fault error={found.error} onRetry={() => void found.refetch()} />;
  if (found.data.length === 0) return <p className="pb-4">{t("evaluation.none")}</p>;
  return (
    <ul aria-label={t("evaluation.failed")} className="flex flex-col gap-4 pb-4">
      {found.data.map((one) => (
        <li key={`${one.case} ${one.name}`} className="flex flex-col gap-1 text-sm">
          <h3 className="font-semibold break-words">
            {one.case}: {one.name}
          </h3>
          <p className="text-warn break-words">{one.why}</p>
          <Told title={t("evaluation.asked")} text={asked(one)} />
          <Told title={t("evaluation.answered")} text={one.said} />
        </li>
      ))}
    </ul>
  );
}

function Told({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <p className="text-soft">{title}</p>
      <pre className="max-h-40 overflow-auto rounded-lg bg-sunken p-2 font-mono text-xs break-words whitespace-pre-wrap">
        {text}
      </pre>
    </div>
  );
}

/** What was said last before the answer. */
function asked(one: Failed): string {
  const content = one.asked[0]?.messages?.at(-1)?.content;
  return typeof content === "string" ? content : JSON.stringify(content ?? "");
}
