import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

interface Tab<Name extends string> {
  name: Name;
  label: string;
  content: ReactNode;
}

interface Props<Name extends string> {
  label: string;
  value: Name;
  onChange: (name: Name) => void;
  tabs: Tab<Name>[];
  children?: ReactNode;
}

/** Several things in one place, one of which is shown. `children` stand beside the tabs. */
export function Tabs<Name extends string>({ label, value, onChange, tabs, children }: Props<Name>) {
  return (
    <Radix.Root
      value={value}
      onValueChange={(name) => onChange(name as Name)}
      className="flex flex-col gap-3"
    >
      <div className="flex flex-wrap items-center gap-2">
        <Radix.List aria-label={label} className="flex flex-1 flex-wrap gap-1 border-b border-line">
          {tabs.map((tab) => (
            <Radix.Trigger
              key={tab.name}
              value={tab.name}
              className="-mb-px min-h-9 border-b-2 border-transparent px-3 py-1.5 text-sm text-soft hover:text-ink coarse:min-h-11 data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-ink"
            >
              {tab.label}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {children}
      </div>
      {tabs.map((tab) => (
        <Radix.Content key={tab.name} value={tab.name} className="min-w-0">
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
