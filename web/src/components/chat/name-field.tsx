import { useEffect, useRef, useState } from "react";
import { isComposing } from "@/components/shell/shortcuts";

interface Props {
  label: string;
  value: string;
  /** Called once, with the new name, or with an empty one if it stays as it was. */
  onDone: (name: string) => void;
}

/** A name that is written in its place: Enter and leaving keep it, Escape does not. */
export function NameField({ label, value, onDone }: Props) {
  const [name, setName] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => field.current?.select(), []);
  const end = (said: string) => {
    if (isOver.current) return;
    isOver.current = true;
    onDone(said.trim());
  };
  return (
    <input
      ref={field}
      aria-label={label}
      placeholder={label}
      maxLength={100}
      value={name}
      onChange={(event) => setName(event.target.value)}
      onBlur={() => end(name)}
      onKeyDown={(event) => {
        if (isComposing(event.nativeEvent)) return;
        if (event.key === "Enter") end(name);
        if (event.key === "Escape") {
          event.preventDefault();
          end("");
        }
      }}
      className="min-h-9 w-full rounded-lg border border-line bg-raised px-2 text-sm"
    />
  );
}
