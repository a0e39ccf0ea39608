import { type Key, useWords } from "@/words";

const SENTENCES: Record<string, Key> = {
  dequantised: "export.into.dequantised",
  as_on_disk: "export.into.disk",
};

/** Which weights an adapter is made part of, where that is not what everybody expects. */
export function Into({ into }: { into: unknown }) {
  const t = useWords();
  const sentence = SENTENCES[String(into)];
  return sentence ? <span className="block text-sm text-soft">{t(sentence)}</span> : null;
}
