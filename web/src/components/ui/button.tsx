import type { ComponentProps, ReactNode } from "react";
import { joined } from "./joined";

type Kind = "plain" | "strong" | "quiet" | "danger";

const KINDS: Record<Kind, string> = {
  plain: "border border-line bg-raised text-ink hover:bg-sunken",
  strong: "bg-accent text-accent-ink hover:brightness-90",
  quiet: "text-soft hover:bg-sunken hover:text-ink",
  danger: "border border-danger text-danger hover:bg-sunken",
};
const SHAPE =
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg font-medium transition-colors disabled:opacity-50 disabled:cursor-not-allowed";

type ButtonProps = ComponentProps<"button"> & { kind?: Kind };

export function Button({ kind = "plain", className, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={joined(SHAPE, "min-h-9 px-3 py-1.5 text-sm", KINDS[kind], className)}
      {...rest}
    />
  );
}

type IconButtonProps = Omit<ButtonProps, "children"> & {
  label: string;
  children: ReactNode;
  shortcut?: string;
};

/** A button that shows an icon alone; its label is its name, and what the page's tip shows. */
export function IconButton({
  label,
  shortcut,
  kind = "quiet",
  className,
  type = "button",
  ...rest
}: IconButtonProps) {
  return (
    <button
      type={type}
      aria-label={label}
      data-tip={shortcut ?? ""}
      className={joined(SHAPE, "size-9 coarse:size-11 [&_svg]:size-4.5", KINDS[kind], className)}
      {...rest}
    />
  );
}
