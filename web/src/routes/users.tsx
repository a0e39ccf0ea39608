import { useQuery } from "@tanstack/react-query";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { Audit } from "@/components/users/audit";
import { Own } from "@/components/users/own";
import { UserList } from "@/components/users/user-list";
import { whoAsks } from "@/services/session";
import { useWords } from "@/words";

export function UsersRoute() {
  const t = useWords();
  const { data: who, error, refetch } = useQuery(whoAsks);
  return (
    <Page title={t("nav.users")} about={t("users.about")}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {who && !who.asks ? (
        <p className="rounded-lg bg-sunken px-3 py-2 text-sm">{t("users.nobody.asked")}</p>
      ) : null}
      {who?.account ? <Own who={who} /> : null}
      {who?.rights.includes("manage") ? (
        <>
          <UserList own={who.account} />
          <Audit />
        </>
      ) : null}
      {who || error ? null : <Loading />}
    </Page>
  );
}
