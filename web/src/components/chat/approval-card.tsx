import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ShieldQuestion } from "lucide-react";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import type { Approval, ApprovalAnswer, CallPart } from "@/services/chat-shapes";
import { answerApproval, toolPermissions } from "@/services/tools";
import { useWords } from "@/words";
import { CODE, spelled } from "./fold";

/** Asks whether a call may be carried out, and shows all that it would be carried out with. */
export function ApprovalCard({ part, approval }: { part: CallPart; approval: Approval }) {
  const t = useWords();
  const queries = useQueryClient();
  const answer = useMutation({
    mutationFn: (said: ApprovalAnswer) => answerApproval(approval.id, said),
    onSuccess: () => queries.invalidateQueries(toolPermissions),
  });
  const title = t("chat.approval", { name: part.name });
  return (
    <section aria-label={title} className="my-2 rounded-xl border border-accent px-3 py-2">
      <p role="status" className="flex items-center gap-2 text-sm font-medium [&_svg]:size-4">
        <ShieldQuestion aria-hidden />
        <span className="min-w-0 break-words">{title}</span>
      </p>
      <Arguments text={part.arguments} />
      {answer.error ? (
        <p role="alert" className="mb-2 text-sm text-danger">
          {answer.error.message}
        </p>
      ) : null}
      <div className="flex flex-wrap gap-2">
        {approval.answers.map((said) => (
          <Button
            key={said}
            kind={said === "once" ? "strong" : said === "never" ? "quiet" : "plain"}
            disabled={answer.isPending || answer.isSuccess}
            className="coarse:min-h-11"
            onClick={() => answer.mutate(said)}
          >
            {t(`chat.approval.${said}`)}
          </Button>
        ))}
      </div>
    </section>
  );
}

function Arguments({ text }: { text: string }) {
  const t = useWords();
  const named = argumentsOf(text);
  if (named.length === 0) return <p className="my-2 text-sm text-soft">{t("chat.approval.none")}</p>;
  return (
    <dl className="my-2 flex flex-col gap-1">
      {named.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-soft">{spelled(name)}</dt>
          <dd dir="ltr">
            <pre tabIndex={0} className={joined(CODE, "max-h-80 overflow-y-auto rounded-lg bg-sunken p-2")}>
              {spelled(value)}
            </pre>
          </dd>
        </div>
      ))}
    </dl>
  );
}

const TEXTS = /"(?:[^"\\]|\\.)*"/g;
/** Numbers that JavaScript would round are shown as they were written, with all else. */
const ROUNDED = /\d{16}|\d[eE]|\.\d{15}/;

/** Arguments by their names; as they were written where they are no object. */
function argumentsOf(text: string): [string, string][] {
  try {
    const read: unknown = JSON.parse(text);
    if (
      typeof read === "object" &&
      read !== null &&
      !Array.isArray(read) &&
      !ROUNDED.test(text.replace(TEXTS, ""))
    )
      return Object.entries(read).map(([name, value]) => [
        name,
        typeof value === "string" ? value : JSON.stringify(value, null, 2),
      ]);
  } catch {
    // Shown as it is.
  }
  return [["JSON", text]];
}
