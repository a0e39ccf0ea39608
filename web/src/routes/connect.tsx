import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ClientCard } from "@/components/connect/client-card";
import { ChoiceField } from "@/components/ui/field";
import { Fault, Loading, Page, Snippet } from "@/components/ui/pieces";
import { clients } from "@/services/clients";
import { listedModels } from "@/services/models";
import { useWords } from "@/words";

export function ConnectRoute() {
  const t = useWords();
  const [model, setModel] = useState("");
  const models = useQuery(listedModels).data ?? [];
  const { data, error, refetch } = useQuery({ ...clients(model), placeholderData: keepPreviousData });
  const chosen = model || data?.model || "";
  return (
    <Page title={t("nav.connect")} about={t("connect.about")}>
      <div className="grid items-start gap-4 sm:grid-cols-2">
        <ChoiceField
          label={t("connect.model")}
          hint={data ? t("connect.context", { n: data.context_length }) : undefined}
          value={chosen}
          choices={models.map(({ id }) => ({ value: id, label: id }))}
          onChange={(event) => setModel(event.target.value)}
        />
        <div className="flex flex-col gap-1">
          <p className="text-sm font-medium">{t("connect.address")}</p>
          <Snippet label={t("connect.address")} text={`${data?.url ?? location.origin}/v1`} />
        </div>
      </div>
      {data?.needs_key ? (
        <p className="max-w-prose text-sm">
          {t("connect.key")}{" "}
          <Link to="/keys" className="text-accent underline">
            {t("nav.keys")}
          </Link>
        </p>
      ) : null}
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? (
        <ul className="grid gap-4">
          {data.data.map((client) => (
            <li key={client.client} className="min-w-0">
              <ClientCard client={client} about={data} />
            </li>
          ))}
        </ul>
      ) : error ? null : (
        <Loading />
      )}
    </Page>
  );
}
