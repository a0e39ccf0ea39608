import { Switch as Radix } from "radix-ui";
import { type ComponentProps, type ReactNode, useId } from "react";
import { joined } from "./joined";

const BOX =
  "w-full rounded-lg border border-line bg-raised px-3 py-1.5 text-ink outline-offset-0 disabled:opacity-60 aria-invalid:border-danger";

interface FieldProps {
  label: string;
  /** What it does, its unit and range, in a few words. */
  hint?: string | undefined;
  /** What is wrong with the value, and what would be right. */
  fault?: string | undefined;
  className?: string;
}

type Named = { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean };

/** A label, what is filled in, and what is said about it. */
export function Field({
  label,
  hint,
  fault,
  className,
  children,
}: FieldProps & { children: (named: Named) => ReactNode }) {
  const id = useId();
  const about = fault || hint;
  const named: Named = {
    id,
    ...(about ? { "aria-describedby": `${id}-about` } : {}),
    ...(fault ? { "aria-invalid": true } : {}),
  };
  return (
    <div className={joined("flex flex-col gap-1", className)}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children(named)}
      {about ? (
        <p id={`${id}-about`} className={joined("text-xs", fault ? "text-danger" : "text-soft")}>
          {about}
        </p>
      ) : null}
    </div>
  );
}

export function TextField({
  label,
  hint,
  fault,
  className,
  ...rest
}: FieldProps & Omit<ComponentProps<"input">, "id">) {
  return (
    <Field label={label} hint={hint} fault={fault} className={className ?? ""}>
      {(named) => <input {...named} {...rest} className={joined(BOX, "min-h-9")} />}
    </Field>
  );
}

export function AreaField({
  label,
  hint,
  fault,
  className,
  ...rest
}: FieldProps & Omit<ComponentProps<"textarea">, "id">) {
  return (
    <Field label={label} hint={hint} fault={fault} className={className ?? ""}>
      {(named) => <textarea rows={4} {...named} {...rest} className={joined(BOX, "resize-y")} />}
    </Field>
  );
}

interface Choice {
  value: string;
  label: string;
}

type ChoiceProps = FieldProps & Omit<ComponentProps<"select">, "id"> & { choices: Choice[] };

export function ChoiceField({ label, hint, fault, className, choices, ...rest }: ChoiceProps) {
  return (
    <Field label={label} hint={hint} fault={fault} className={className ?? ""}>
      {(named) => (
        <select {...named} {...rest} className={joined(BOX, "min-h-9")}>
          {choices.map(({ value, label: words }) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface SwitchProps {
  label: string;
  hint?: string | undefined;
  fault?: string | undefined;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
  isDisabled?: boolean;
}

export function SwitchField({ label, hint, fault, isOn, onChange, isDisabled = false }: SwitchProps) {
  const id = useId();
  const about = fault || hint;
  return (
    <div className="flex items-center gap-3">
      <div className="flex-1">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {about ? (
          <p id={`${id}-about`} className={joined("text-xs", fault ? "text-danger" : "text-soft")}>
            {about}
          </p>
        ) : null}
      </div>
      <Radix.Root
        id={id}
        checked={isOn}
        disabled={isDisabled}
        onCheckedChange={onChange}
        {...(about ? { "aria-describedby": `${id}-about` } : {})}
        {...(fault ? { "aria-invalid": true } : {})}
        className="h-6 w-10 shrink-0 rounded-full border border-line bg-sunken p-0.5 transition-colors data-[state=checked]:border-accent data-[state=checked]:bg-accent"
      >
        <Radix.Thumb className="block size-4.5 rounded-full bg-soft transition-transform data-[state=checked]:translate-x-4 data-[state=checked]:bg-accent-ink rtl:data-[state=checked]:-translate-x-4" />
      </Radix.Root>
    </div>
  );
}
