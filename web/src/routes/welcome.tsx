import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Fault, Loading } from "@/components/ui/pieces";
import { NewPassword } from "@/components/users/new-password";
import { session } from "@/services/session";
import { useConnection } from "@/stores/connection";
import { useWords } from "@/words";

/** Where a link leads: its reader chooses a password, and is in. */
export function WelcomeRoute() {
  const token = useLocation().hash;
  return <Welcome key={token} token={token} />;
}

function Welcome({ token }: { token: string }) {
  const t = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [isSpent, setSpent] = useState(false);
  const { data, error } = useQuery({
    queryKey: ["api", "session", "link", token],
    queryFn: () => session.linked(token),
    retry: false,
    enabled: token !== "" && !isSpent,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const choose = async (password: string) => {
    await session.choose(token, password);
    setSpent(true);
    useConnection.getState().enter();
    await navigate({ to: "/", replace: true });
    void queries.resetQueries();
  };
  return (
    <div className="mx-auto flex min-h-full max-w-md flex-col justify-center gap-4 px-5 py-10">
      <img src="/icon.svg" alt="" className="size-10" />
      <h1 className="text-2xl font-semibold">{t("welcome.title")}</h1>
      {error ? <Fault error={error} /> : null}
      {token === "" ? <p className="text-soft">{t("welcome.none")}</p> : null}
      {data ? (
        <>
          <p className="text-soft">{t("welcome.about", { name: data.name })}</p>
          <NewPassword name={data.name} act={t("welcome.do")} onChosen={choose} />
        </>
      ) : error || token === "" ? null : (
        <Loading />
      )}
    </div>
  );
}
