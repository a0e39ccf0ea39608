import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronDown, ChevronRight, Search } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Badge, Empty, Fault, Progress } from "@/components/ui/pieces";
import { type FoundRepo, search } from "@/services/hub";
import { useModelsView } from "@/stores/models";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { HubRepo } from "./hub-repo";
import { short } from "./short";

const REPO = /^[\w.-]+\/[\w.-]+$/;

/** Looks for models on the hub when the button is pressed, and at no other time. */
export function HubSearch() {
  const t = useWords();
  const queries = useQueryClient();
  const { words, asked, type, ask } = useModelsView();
  const found = useQuery({
    queryKey: ["hub", "search", asked],
    queryFn: ({ signal }) => search(asked, signal),
    enabled: asked !== "",
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    retry: false,
    retryOnMount: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const again = () => void found.refetch();
  const data = found.data?.data;
  return (
    <section aria-label={t("models.hub")} className="flex flex-col gap-4">
      <form
        className="flex flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (words.trim() === asked) again();
          else ask();
        }}
      >
        <TextField
          className="min-w-0 flex-1 basis-64"
          label={t("models.hub.words")}
          hint={t("models.hub.about")}
          placeholder={t("models.hub.example")}
          value={words}
          maxLength={200}
          enterKeyHint="search"
          onChange={(event) => type(event.target.value)}
        />
        <Button
          kind="strong"
          type="submit"
          disabled={words.trim() === "" || found.isFetching}
          className="sm:mb-5"
        >
          <Search aria-hidden="true" className="size-4" />
          {t("models.hub.search")}
        </Button>
      </form>
      {found.isFetching ? (
        <div className="flex items-center gap-3">
          <div className="flex-1">
            <Progress label={t("models.hub.going")} share={null} />
          </div>
          <Button onClick={() => void queries.cancelQueries({ queryKey: ["hub", "search", asked] })}>
            {t("act.cancel")}
          </Button>
        </div>
      ) : null}
      {found.error && !found.isFetching ? <Fault error={found.error} onRetry={again} /> : null}
      {data?.length === 0 && !REPO.test(asked) ? (
        <Empty>{t("models.hub.none", { words: asked })}</Empty>
      ) : null}
      {data && data.length > 0 ? (
        <>
          <p role="status" className="text-sm text-soft">
            {t(data.length >= (found.data?.most ?? 0) ? "models.hub.first" : "models.hub.found", {
              n: data.length,
            })}
          </p>
          <ul aria-label={t("models.hub.results")} className="flex flex-col gap-2">
            {data.map((one) => (
              <Result key={one.repo} found={one} />
            ))}
          </ul>
        </>
      ) : null}
      {data && REPO.test(asked) && !data.some((one) => one.repo.toLowerCase() === asked.toLowerCase()) ? (
        <ul aria-label={t("models.hub.named")}>
          <Result found={{ ...NOTHING, repo: asked }} />
        </ul>
      ) : null}
    </section>
  );
}

const NOTHING: Omit<FoundRepo, "repo"> = {
  downloads: 0,
  likes: 0,
  changed: null,
  task: null,
  licence: null,
  gated: false,
  parameter_count: null,
  trained_context_length: null,
};

function Result({ found }: { found: FoundRepo }) {
  const t = useWords();
  const amounts = useAmounts();
  const [isOpen, setOpen] = useState(false);
  const facts = [
    ...(found.downloads ? [t("models.hub.downloads", { n: amounts.count(found.downloads) })] : []),
    ...(found.likes ? [t("models.hub.likes", { n: amounts.count(found.likes) })] : []),
    ...(found.parameter_count
      ? [t("models.parameters", { n: short(found.parameter_count, amounts.number) })]
      : []),
    ...(found.trained_context_length
      ? [t("models.upto", { n: amounts.count(found.trained_context_length) })]
      : []),
    ...(found.changed ? [t("models.hub.changed", { day: found.changed })] : []),
  ];
  return (
    <li aria-label={found.repo} className="rounded-2xl border border-line bg-raised">
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className="flex w-full items-center gap-3 rounded-2xl p-4 text-start hover:bg-sunken [&>svg]:size-4.5 [&>svg]:shrink-0"
      >
        {isOpen ? (
          <ChevronDown aria-hidden="true" />
        ) : (
          <ChevronRight aria-hidden="true" className="rtl:rotate-180" />
        )}
        <span className="min-w-0 flex-1">
          <span className="block font-medium break-all">{found.repo}</span>
          <span className="block text-sm text-soft">{facts.join(" · ")}</span>
        </span>
        <span className="flex flex-wrap justify-end gap-1">
          {found.licence ? <Badge>{found.licence}</Badge> : null}
          {found.gated ? <Badge tone="warn">{t("models.hub.gated")}</Badge> : null}
        </span>
      </button>
      {isOpen ? <HubRepo name={found.repo} /> : null}
    </li>
  );
}
