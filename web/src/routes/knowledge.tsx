import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { About } from "@/components/knowledge/about";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { collections, knowledge } from "@/services/knowledge";
import { useWords } from "@/words";

/** Every collection of documents, and making one. */
export function KnowledgeRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(collections);
  return (
    <Page title={t("nav.knowledge")} about={t("knowledge.about")}>
      <NewCollection />
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data?.note ? <p className="max-w-prose text-sm text-soft">{data.note}</p> : null}
      {data ? null : error ? null : <Loading />}
      {data && data.data.length === 0 ? <Empty>{t("knowledge.none")}</Empty> : null}
      {data && data.data.length > 0 ? (
        <ul
          aria-label={t("nav.knowledge")}
          className="divide-y divide-line rounded-2xl border border-line bg-raised"
        >
          {data.data.map((one) => (
            <li key={one.id} className="px-4 py-3">
              <Link
                to="/knowledge/$id"
                params={{ id: one.id }}
                className="font-medium break-words underline-offset-2 hover:underline"
              >
                {one.name}
              </Link>
              <About collection={one} />
            </li>
          ))}
        </ul>
      ) : null}
    </Page>
  );
}

function NewCollection() {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const making = useMutation({
    mutationFn: knowledge.create,
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: collections.queryKey });
      await navigate({ to: "/knowledge/$id", params: { id: made.id } });
    },
  });
  const make = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) making.mutate(name);
  };
  return (
    <form onSubmit={make} className="flex flex-wrap items-end gap-3">
      <TextField
        label={t("knowledge.name")}
        className="min-w-0 flex-1 basis-60"
        value={name}
        maxLength={200}
        onChange={(event) => setName(event.target.value)}
        fault={making.error?.message}
      />
      <Button kind="strong" type="submit" disabled={making.isPending || !name.trim()}>
        {t("knowledge.new")}
      </Button>
    </form>
  );
}
