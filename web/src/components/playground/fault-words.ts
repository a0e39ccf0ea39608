import { useCallback } from "react";
import type { JsonFault } from "@/services/json";
import { type Key, useWords } from "@/words";

const WORDS: Record<JsonFault["kind"], Key> = {
  value: "json.value",
  name: "json.name",
  colon: "json.colon",
  comma: "json.comma",
  text: "json.text",
  rest: "json.rest",
  deep: "json.deep",
};

/** A fault of JSON in the reader's language. */
export function useJsonFault(): (fault: JsonFault) => string {
  const t = useWords();
  return useCallback(
    ({ line, column, kind }) => t("json.fault", { line, column, what: t(WORDS[kind]) }),
    [t],
  );
}
