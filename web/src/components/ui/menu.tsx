import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { joined } from "./joined";

export interface MenuEntry {
  label: string;
  icon?: ReactNode;
  run: () => void;
  isDangerous?: boolean;
  isDisabled?: boolean;
  shortcut?: string;
}

/** A button that opens a list of deeds. `null` among the entries is a line between groups. */
export function Menu({ trigger, entries }: { trigger: ReactNode; entries: (MenuEntry | null)[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-xl border border-line bg-raised p-1 text-sm shadow-lg"
        >
          {entries.map((entry, place) =>
            entry === null ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line has nothing else to be known by
              <DropdownMenu.Separator key={place} className="my-1 h-px bg-line" />
            ) : (
              <DropdownMenu.Item
                key={entry.label}
                disabled={entry.isDisabled ?? false}
                onSelect={entry.run}
                className={joined(
                  "flex min-h-9 cursor-pointer items-center gap-2 rounded-lg px-2.5 outline-none data-disabled:cursor-not-allowed data-disabled:opacity-50 data-highlighted:bg-tint [&_svg]:size-4",
                  entry.isDangerous && "text-danger",
                )}
              >
                {entry.icon}
                <span className="flex-1">{entry.label}</span>
                {entry.shortcut ? <kbd className="font-mono text-xs text-soft">{entry.shortcut}</kbd> : null}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
