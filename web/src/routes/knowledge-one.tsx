import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { About } from "@/components/knowledge/about";
import { Documents } from "@/components/knowledge/documents";
import { Passage } from "@/components/knowledge/passage";
import { Search } from "@/components/knowledge/search";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Card, Fault, Loading, Page } from "@/components/ui/pieces";
import { type CollectionWhole, collections, isAtWork, knowledge, oneCollection } from "@/services/knowledge";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

/** One collection: its documents, looking in it, and the passage that an address names. */
export function KnowledgeOneRoute() {
  const t = useWords();
  const navigate = useNavigate();
  const { id } = useParams({ from: "/knowledge/$id" });
  const { passage } = useSearch({ from: "/knowledge/$id" });
  const { data, error, refetch } = useQuery(oneCollection(id));
  return (
    <>
      {data ? (
        <One key={id} collection={data} />
      ) : (
        <Page title={t("nav.knowledge")}>
          {error ? <Fault error={error} onRetry={() => void refetch()} /> : <Loading />}
        </Page>
      )}
      {passage ? (
        <Passage number={passage} onClose={() => void navigate({ to: "/knowledge/$id", params: { id } })} />
      ) : null}
    </>
  );
}

function One({ collection }: { collection: CollectionWhole }) {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [isLeaving, setLeaving] = useState(false);
  const { id, states } = collection;
  const canResume =
    !isAtWork(collection) &&
    ((states.cancelled ?? 0) > 0 || (!collection.note && collection.embedded < collection.passages));
  const doing = async (deed: () => Promise<unknown>) => {
    try {
      await deed();
    } catch (error) {
      tellFailure(error);
    }
    await queries.invalidateQueries({ queryKey: collections.queryKey });
  };
  const leave = () =>
    doing(async () => {
      await knowledge.remove(id);
      await navigate({ to: "/knowledge" });
    });
  return (
    <Page
      title={collection.name}
      actions={
        <div className="flex flex-wrap gap-2">
          {isAtWork(collection) ? (
            <Button onClick={() => void doing(() => knowledge.cancel(id))}>{t("knowledge.cancel")}</Button>
          ) : null}
          {canResume ? (
            <Button onClick={() => void doing(() => knowledge.resume(id))}>{t("knowledge.resume")}</Button>
          ) : null}
          {collection.folder ? (
            <Button onClick={() => void doing(() => knowledge.sync(id))}>{t("knowledge.sync")}</Button>
          ) : (
            <Upload onFiles={(files) => void doing(() => added(id, files))} />
          )}
          <Button kind="danger" onClick={() => setLeaving(true)}>
            {t("knowledge.remove")}
          </Button>
        </div>
      }
    >
      <About collection={collection} />
      {collection.note ? <p className="max-w-prose text-sm text-soft">{collection.note}</p> : null}
      <Card title={t("knowledge.search.title")}>
        <Search id={id} said={collection.note} />
      </Card>
      <Card title={t("knowledge.documents.title")}>
        <Documents
          documents={collection.data}
          onRemove={
            collection.folder ? undefined : (one) => void doing(() => knowledge.removeDocument(id, one.id))
          }
        />
      </Card>
      <Dialog
        isOpen={isLeaving}
        onClose={() => setLeaving(false)}
        title={t("knowledge.remove.title", { name: collection.name })}
        about={t("knowledge.remove.about")}
        foot={
          <>
            <Button onClick={() => setLeaving(false)}>{t("act.cancel")}</Button>
            <Button kind="danger" onClick={() => void leave()}>
              {t("knowledge.remove")}
            </Button>
          </>
        }
      />
    </Page>
  );
}

function Upload({ onFiles }: { onFiles: (files: File[]) => void }) {
  const t = useWords();
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={field}
        type="file"
        multiple
        hidden
        aria-label={t("knowledge.add")}
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])]);
          target.value = "";
        }}
      />
      <Button kind="strong" onClick={() => field.current?.click()}>
        {t("knowledge.add")}
      </Button>
    </>
  );
}

/** Each file after another; those that are refused do not keep back the others. */
async function added(id: string, files: File[]): Promise<void> {
  for (const file of files) await knowledge.add(id, file).catch(tellFailure);
}
