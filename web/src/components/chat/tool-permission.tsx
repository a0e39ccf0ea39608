import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { ChoiceField } from "@/components/ui/field";
import { decideTool, type PermissionWord, type Tool, toolPermissions } from "@/services/tools";
import { useWords } from "@/words";

const WORDS = ["ask", "always", "never"] as const;

/** What is decided about a tool, or a group of them: in every chat, until it is decided otherwise. */
export function ToolPermission({ name, tools }: { name: string; tools: readonly Tool[] }) {
  const t = useWords();
  const queries = useQueryClient();
  const { data: decided = {} } = useQuery(toolPermissions);
  const decide = useMutation({
    mutationFn: ({ of, word }: { of: string; word: PermissionWord | null }) => decideTool(of, word),
    onSuccess: (now) => queries.setQueryData(toolPermissions.queryKey, now),
  });
  const usual = t(tools.some((one) => one.wants_asking) ? "chat.permission.asks" : "chat.permission.free");
  const own = tools.filter((one) => one.name !== name && decided[one.name] !== undefined);
  return (
    <>
      <ChoiceField
        label={t("chat.permission", { name })}
        fault={decide.error?.message ?? ""}
        value={decided[name] ?? ""}
        onChange={(event) =>
          decide.mutate({ of: name, word: (event.target.value || null) as PermissionWord | null })
        }
        choices={[
          { value: "", label: usual },
          ...WORDS.map((word) => ({ value: word, label: t(`chat.permission.${word}`) })),
        ]}
      />
      {own.map(({ name: tool }) => (
        <p key={tool} className="flex items-center gap-2 text-xs text-soft">
          <span className="min-w-0 flex-1 break-words">
            {tool}: {t(`chat.permission.${decided[tool] ?? "ask"}`)}
          </span>
          <Button onClick={() => decide.mutate({ of: tool, word: null })}>
            {t("chat.permission.back", { name: tool })}
          </Button>
        </p>
      ))}
    </>
  );
}
