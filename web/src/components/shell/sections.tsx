import { Link } from "@tanstack/react-router";
import { useWords } from "@/words";
import type { Area } from "./places";

/** The pages of one area, as tabs that are links. */
export function Sections({ area }: { area: Area }) {
  const t = useWords();
  return (
    <nav aria-label={t(area.words)} className="sticky top-0 z-10 border-b border-line bg-ground">
      <ul className="mx-auto flex max-w-5xl gap-1 overflow-x-auto px-4 sm:px-6">
        {area.within.map(({ to, words }) => (
          <li key={to}>
            <Link
              to={to}
              className="block border-b-2 border-transparent px-3 py-2.5 text-sm font-medium whitespace-nowrap text-soft hover:text-ink data-[status=active]:border-accent data-[status=active]:text-ink"
            >
              {t(words)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
