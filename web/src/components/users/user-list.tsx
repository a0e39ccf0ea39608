import { useQuery, useQueryClient } from "@tanstack/react-query";
import { EllipsisVertical, Plus } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Menu, type MenuEntry } from "@/components/ui/menu";
import { Badge, Card, Empty, Fault, Loading } from "@/components/ui/pieces";
import { audit, type User, userList, users } from "@/services/session";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { CreateUser, LinkDialog, RemoveUser } from "./dialogs";

/** The accounts, for those who may change them. */
export function UserList({ own }: { own: string | null }) {
  const t = useWords();
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery(userList);
  const [isCreating, setCreating] = useState(false);
  const [linked, setLinked] = useState<{ name: string; link: string } | null>(null);
  const [removed, setRemoved] = useState<User | null>(null);
  const renew = () =>
    Promise.all([userList, audit].map(({ queryKey }) => queries.invalidateQueries({ queryKey })));
  const act = async (deed: Promise<unknown>) => {
    await deed.catch(tellFailure);
    await renew();
  };
  const link = async ({ name }: User) => {
    try {
      setLinked(await users.link(name));
    } catch (fault) {
      tellFailure(fault);
    }
    await renew();
  };
  return (
    <Card
      title={t("users.list")}
      actions={
        <Button onClick={() => setCreating(true)}>
          <Plus className="size-4" aria-hidden />
          {t("users.create")}
        </Button>
      }
    >
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data || error ? null : <Loading />}
      {data?.data.length === 0 ? <Empty>{t("users.none")}</Empty> : null}
      <ul aria-label={t("users.list")} className="divide-y divide-line">
        {data?.data.map((user) => (
          <Row
            key={user.name}
            user={user}
            isOwn={user.name === own}
            entries={[
              { label: t("users.link"), run: () => void link(user) },
              user.role === "admin"
                ? {
                    label: t("users.to.user"),
                    run: () => void act(users.change(user.name, { role: "user" })),
                  }
                : {
                    label: t("users.to.admin"),
                    run: () => void act(users.change(user.name, { role: "admin" })),
                  },
              {
                label: t(user.disabled ? "users.enable" : "users.disable"),
                run: () => void act(users.change(user.name, { disabled: !user.disabled })),
              },
              { label: t("users.remove"), run: () => setRemoved(user), isDangerous: true },
            ]}
          />
        ))}
      </ul>
      {isCreating ? (
        <CreateUser
          onClose={() => setCreating(false)}
          onMade={(made) => {
            setCreating(false);
            setLinked(made);
            void renew();
          }}
        />
      ) : null}
      {linked ? <LinkDialog {...linked} onClose={() => setLinked(null)} /> : null}
      {removed ? (
        <RemoveUser name={removed.name} onClose={() => setRemoved(null)} onRemoved={() => void renew()} />
      ) : null}
    </Card>
  );
}

interface RowProps {
  user: User;
  isOwn: boolean;
  entries: MenuEntry[];
}

function Row({ user, isOwn, entries }: RowProps) {
  const t = useWords();
  const { moment } = useAmounts();
  return (
    <li className="flex flex-wrap items-center gap-3 py-2.5">
      <span className="min-w-0 flex-1 basis-48">
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-all">{user.name}</span>
          <Badge>{t(`users.role.${user.role}`)}</Badge>
          {isOwn ? <Badge tone="good">{t("users.you")}</Badge> : null}
          {user.disabled ? <Badge tone="bad">{t("users.disabled")}</Badge> : null}
          {user.has_password ? null : <Badge tone="warn">{t("users.unready")}</Badge>}
        </span>
        <span className="block text-xs text-soft">
          {user.seen === null ? t("users.unseen") : t("users.seen", { when: moment(user.seen) })}
        </span>
      </span>
      <Menu
        entries={entries}
        trigger={
          <IconButton label={t("users.deeds", { name: user.name })}>
            <EllipsisVertical />
          </IconButton>
        }
      />
    </li>
  );
}
