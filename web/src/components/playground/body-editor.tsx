import { useRef } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { faultOf, pretty } from "@/services/json";
import { useWords } from "@/words";
import { useJsonFault } from "./fault-words";

const ROWS_LEAST = 12;

/** The body as text, with the numbers of its lines and what is wrong in which of them. */
export function BodyEditor({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const t = useWords();
  const area = useRef<HTMLTextAreaElement>(null);
  const words = useJsonFault();
  const fault = faultOf(text);
  const lines = text.split("\n");
  const goThere = () => {
    if (!fault || !area.current) return;
    const start = lines.slice(0, fault.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(start, start + (lines[fault.line - 1]?.length ?? 0));
  };
  return (
    <div className="flex flex-col gap-2">
      <Field label={t("play.json")} fault={fault ? words(fault) : undefined}>
        {(named) => (
          <div className="flex max-h-[32rem] overflow-y-auto rounded-lg border border-line bg-sunken font-mono text-[0.8125rem] leading-relaxed">
            <div aria-hidden className="py-2 ps-2 pe-1 text-end text-soft select-none">
              {lines.map((_, place) => (
                <div
                  // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
                  key={place}
                  className={fault?.line === place + 1 ? "font-semibold text-danger" : ""}
                >
                  {place + 1}
                </div>
              ))}
            </div>
            <textarea
              {...named}
              ref={area}
              wrap="off"
              spellCheck={false}
              autoCapitalize="off"
              rows={Math.max(lines.length, ROWS_LEAST)}
              value={text}
              onChange={(event) => onChange(event.target.value)}
              className="min-w-0 flex-1 resize-none overflow-x-auto overflow-y-hidden bg-transparent px-2 py-2 text-ink outline-offset-[-2px]"
            />
          </div>
        )}
      </Field>
      <div className="flex gap-2">
        {fault ? (
          <Button onClick={goThere}>{t("play.json.go", { line: fault.line })}</Button>
        ) : (
          <Button onClick={() => onChange(pretty(text))} disabled={pretty(text) === text}>
            {t("play.json.tidy")}
          </Button>
        )}
      </div>
    </div>
  );
}
