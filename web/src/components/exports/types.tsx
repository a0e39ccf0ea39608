import type { Estimate, Exports } from "@/services/exports";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

interface Props {
  types: Exports["types"];
  chosen: readonly string[];
  sizes: Estimate["sizes"] | undefined;
  fault: string | undefined;
  onChange: (chosen: string[]) => void;
}

/** The types of files, each with what it will take; those that cannot be made here say what they need. */
export function Types({ types, chosen, sizes, fault, onChange }: Props) {
  const t = useWords();
  const a = useAmounts();
  const choose = (name: string, isChosen: boolean) =>
    onChange(types.map((one) => one.name).filter((one) => (one === name ? isChosen : chosen.includes(one))));
  return (
    <fieldset aria-describedby="types-about" className="flex flex-col gap-2">
      <legend className="mb-1 font-semibold">{t("export.types")}</legend>
      <p id="types-about" className={fault ? "text-sm text-danger" : "text-sm text-soft"}>
        {fault ?? t("export.types.about")}
      </p>
      <ul className="grid gap-x-6 gap-y-1 sm:grid-cols-2">
        {types.map(({ name, is_made_here }) => {
          const size = sizes?.[name];
          const about = is_made_here
            ? size === undefined
              ? null
              : t("export.size", { size: a.bytes(size) })
            : t("export.types.unmade");
          return (
            <li key={name}>
              <label className="flex min-h-9 items-center gap-2 text-sm coarse:min-h-11">
                <input
                  type="checkbox"
                  checked={chosen.includes(name)}
                  disabled={!is_made_here && !chosen.includes(name)}
                  {...(fault ? { "aria-invalid": true } : {})}
                  onChange={(event) => choose(name, event.target.checked)}
                  className="size-5 accent-(--accent)"
                />
                <span className="font-medium">{name}</span>
                {about ? <span className="text-soft tabular-nums">{about}</span> : null}
              </label>
            </li>
          );
        })}
      </ul>
    </fieldset>
  );
}
