import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { whoAsks } from "@/services/session";
import { useWords } from "@/words";
import { type Area, isFor } from "./places";

/** The pages of one area, as tabs that are links. */
export function Sections({ area }: { area: Area }) {
  const t = useWords();
  const { data: who } = useQuery(whoAsks);
  const shown = area.within.filter(isFor(who));
  return (
    <nav aria-label={t(area.words)} className="sticky top-0 z-10 border-b border-line bg-ground">
      <ul className="mx-auto flex max-w-5xl gap-1 overflow-x-auto px-4 sm:px-6">
        {shown.map(({ to, words }) => (
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
