import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { CreateDialog } from "@/components/keys/create-dialog";
import { KeyList } from "@/components/keys/key-list";
import { RevokeDialog } from "@/components/keys/revoke-dialog";
import { Button } from "@/components/ui/button";
import { Empty, Fault, Loading, Page } from "@/components/ui/pieces";
import { type ApiKey, apiKeys } from "@/services/keys";
import { useWords } from "@/words";

export function KeysRoute() {
  const t = useWords();
  const { data, error, refetch } = useQuery(apiKeys);
  const [isCreating, setCreating] = useState(false);
  const [revoked, setRevoked] = useState<ApiKey | null>(null);
  return (
    <Page
      title={t("nav.keys")}
      about={t("keys.about")}
      actions={
        data?.can_change ? (
          <Button kind="strong" onClick={() => setCreating(true)}>
            <Plus className="size-4" />
            {t("keys.create")}
          </Button>
        ) : null
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data && !data.can_change ? <p className="max-w-prose text-sm text-soft">{t("keys.others")}</p> : null}
      {data && data.data.length > 0 ? (
        <KeyList keys={data.data} onRevoke={data.can_change ? setRevoked : null} />
      ) : null}
      {data && data.data.length === 0 ? <Empty>{t("keys.none")}</Empty> : null}
      {data || error ? null : <Loading />}
      {isCreating ? <CreateDialog onClose={() => setCreating(false)} /> : null}
      {revoked ? <RevokeDialog revoked={revoked} onClose={() => setRevoked(null)} /> : null}
    </Page>
  );
}
