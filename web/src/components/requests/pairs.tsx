import { joined } from "@/components/ui/joined";

/** Names and values below each other, those of paddock's own marked. */
export function Pairs({ pairs }: { pairs: [string, string][] }) {
  return (
    <dl className="grid gap-x-4 gap-y-1 font-mono text-[0.8125rem] sm:grid-cols-[max-content_1fr]">
      {pairs.map(([name, value], place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a header may come twice, and the list never changes
        <div key={place} className="contents">
          <dt
            className={joined(name.startsWith("x-paddock-") ? "font-semibold" : "text-soft", "break-words")}
          >
            {name}
          </dt>
          <dd className="min-w-0 break-words max-sm:mb-2 max-sm:ps-4">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
