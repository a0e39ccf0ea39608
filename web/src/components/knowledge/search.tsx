import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Fault } from "@/components/ui/pieces";
import { knowledge } from "@/services/knowledge";
import { useWords } from "@/words";
import { Where } from "./where";

/** Looks for passages of a collection, as a model that is given it does; `said` was told of the collection already. */
export function Search({ id, said }: { id: string; said: string }) {
  const t = useWords();
  const [query, setQuery] = useState("");
  const looking = useMutation({ mutationFn: (asked: string) => knowledge.search(id, asked) });
  const look = (event: FormEvent) => {
    event.preventDefault();
    if (query.trim()) looking.mutate(query);
  };
  const found = looking.data;
  return (
    <div className="flex flex-col gap-3">
      <form onSubmit={look} className="flex flex-wrap items-end gap-3">
        <TextField
          label={t("knowledge.search")}
          className="min-w-0 flex-1 basis-60"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
        <Button type="submit" disabled={looking.isPending || !query.trim()}>
          {t("knowledge.search.go")}
        </Button>
      </form>
      {looking.error ? <Fault error={looking.error} /> : null}
      {found?.note && found.note !== said ? <p className="text-sm text-soft">{found.note}</p> : null}
      {found && found.data.length === 0 ? <p role="status">{t("knowledge.search.none")}</p> : null}
      {found && found.data.length > 0 ? (
        <ol aria-label={t("knowledge.found")} className="divide-y divide-line">
          {found.data.map((one) => (
            <li key={one.id} className="py-3">
              <Link
                to="/knowledge/$id"
                params={{ id }}
                search={{ passage: String(one.id) }}
                className="text-sm font-medium break-words underline-offset-2 hover:underline"
              >
                <Where passage={one} />
              </Link>
              <p className="line-clamp-4 break-words whitespace-pre-line">{one.text}</p>
            </li>
          ))}
        </ol>
      ) : null}
    </div>
  );
}
