import type { Estimate, ExportType } from "@/services/exports";
import { type Translate, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

interface Props {
  types: readonly ExportType[];
  chosen: readonly string[];
  sizes: Estimate["sizes"] | undefined;
  /** Whether rows are named that tell which weights matter. */
  isMeasured: boolean;
  fault: string | undefined;
  onChange: (chosen: string[]) => void;
}

/** The types of files, each with what it will take; those that cannot be made here are named, with what they need. */
export function Types({ types, chosen, sizes, isMeasured, fault, onChange }: Props) {
  const t = useWords();
  const choose = (name: string, isChosen: boolean) =>
    onChange(types.map((one) => one.name).filter((one) => (one === name ? isChosen : chosen.includes(one))));
  // What is not made without rows is offered once some are named.
  const isOffered = ({ name, importance }: ExportType) =>
    importance !== "needed" || isMeasured || chosen.includes(name);
  const isChoosable = ({ name, is_made_here }: ExportType) => is_made_here || chosen.includes(name);
  const unmade = (isMeasured: boolean) =>
    types
      .filter((one) => isOffered(one) && !isChoosable(one) && (one.importance === "needed") === isMeasured)
      .map((one) => one.name)
      .join(", ");
  const group = (of: ExportType["of"]) => (
    <ul className="grid gap-x-6 gap-y-1 sm:grid-cols-2">
      {types
        .filter((one) => one.of === of && isOffered(one) && isChoosable(one))
        .map((one) => (
          <Type
            key={one.name}
            type={one}
            size={sizes?.[one.name]}
            isChosen={chosen.includes(one.name)}
            isAtFault={fault !== undefined}
            onChange={(isChosen) => choose(one.name, isChosen)}
          />
        ))}
    </ul>
  );
  return (
    <fieldset aria-describedby="types-about" className="flex flex-col gap-2">
      <legend className="mb-1 font-semibold">{t("export.types")}</legend>
      <p id="types-about" className={fault ? "text-sm text-danger" : "text-sm text-soft"}>
        {fault ?? t("export.types.about")}
      </p>
      {group("model")}
      {[unmade(false), unmade(true)].map((names, index) =>
        names ? (
          <p key={names} className="text-sm text-soft">
            {t(index === 0 ? "export.types.unmade" : "export.types.unmeasured", { names })}
          </p>
        ) : null,
      )}
      <p className="mt-2 text-sm text-soft">{t("export.types.trained")}</p>
      {group("adapter")}
    </fieldset>
  );
}

interface TypeProps {
  type: ExportType;
  size: number | undefined;
  isChosen: boolean;
  isAtFault: boolean;
  onChange: (isChosen: boolean) => void;
}

function Type({ type, size, isChosen, isAtFault, onChange }: TypeProps) {
  const t = useWords();
  const a = useAmounts();
  const about = aboutIn(t, type) ?? (size === undefined ? null : t("export.size", { size: a.bytes(size) }));
  return (
    <li>
      <label className="flex min-h-9 items-center gap-2 text-sm coarse:min-h-11">
        <input
          type="checkbox"
          checked={isChosen}
          {...(isAtFault ? { "aria-invalid": true } : {})}
          onChange={(event) => onChange(event.target.checked)}
          className="size-5 accent-(--accent)"
        />
        <span className="font-medium">{type.name}</span>
        {about ? <span className="text-soft tabular-nums">{about}</span> : null}
      </label>
    </li>
  );
}

function aboutIn(t: Translate, { name, of }: ExportType): string | null {
  return of === "adapter" ? t(name === "LORA" ? "export.types.lora" : "export.types.adapter") : null;
}
