import { Ellipsis } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Menu } from "@/components/ui/menu";
import { Badge, Card } from "@/components/ui/pieces";
import { type Build, EMBEDDED, type Engines, isGoing } from "@/services/engines";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { CanaryDialog } from "./canary";
import { useOrder } from "./orders";

/** The builds that are here: which is used, and what can be done with each. */
export function Builds({ all }: { all: Engines }) {
  const t = useWords();
  const give = useOrder();
  const [shown, setShown] = useState<string | null>(null);
  const [leaving, setLeaving] = useState<string | null>(null);
  const canary = all.builds.find(({ name }) => name === shown)?.canary;
  return (
    <Card title={t("engines.here")}>
      <ul className="-my-2 divide-y divide-line">
        <Row all={all} build={null} onShow={setShown} onRemove={setLeaving} />
        {all.builds.map((build) => (
          <Row key={build.name} all={all} build={build} onShow={setShown} onRemove={setLeaving} />
        ))}
      </ul>
      {shown && canary ? <CanaryDialog build={shown} canary={canary} onClose={() => setShown(null)} /> : null}
      <Dialog
        isOpen={leaving !== null}
        onClose={() => setLeaving(null)}
        title={t("engines.remove.title", { build: leaving ?? "" })}
        about={t("engines.remove.about")}
        foot={
          <>
            <Button onClick={() => setLeaving(null)}>{t("act.cancel")}</Button>
            <Button
              kind="danger"
              onClick={() => {
                if (leaving) give.mutate({ do: "remove", build: leaving });
                setLeaving(null);
              }}
            >
              {t("engines.remove")}
            </Button>
          </>
        }
      />
    </Card>
  );
}

interface RowProps {
  all: Engines;
  /** None is the engine that paddock comes with. */
  build: Build | null;
  onShow: (name: string) => void;
  onRemove: (name: string) => void;
}

function Row({ all, build, onShow, onRemove }: RowProps) {
  const t = useWords();
  const a = useAmounts();
  const give = useOrder();
  const name = build?.name ?? EMBEDDED;
  const isActive = all.active === name;
  const isRunning = all.running === name;
  const canary = build?.canary;
  const about = build
    ? [
        t(`engines.origin.${build.origin}`),
        t("engines.on", { what: build.accelerator }),
        build.version,
        a.moment(build.installed_s),
      ]
    : [t("engines.embedded.about")];
  const entries = [
    ...(canary ? [{ label: t("engines.canary.show"), run: () => onShow(name) }] : []),
    {
      label: t("engines.remove"),
      run: () => onRemove(name),
      isDangerous: true,
      isDisabled: isActive || !all.can_change || isGoing(all.job),
    },
  ];
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 py-3">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-all">{name}</span>
          {isRunning ? <Badge tone="good">{t("engines.running")}</Badge> : null}
          {isActive && !isRunning ? <Badge tone="warn">{t("engines.next")}</Badge> : null}
          {all.previous === name ? <Badge>{t("engines.previous")}</Badge> : null}
          {build && !build.is_whole ? <Badge tone="bad">{t("engines.damaged")}</Badge> : null}
          {canary ? (
            <Badge tone={canary.status === "passed" ? "good" : canary.status === "failed" ? "bad" : "plain"}>
              {t(`engines.canary.${canary.status}`)}
            </Badge>
          ) : null}
        </p>
        <p className="text-sm text-soft">{about.filter(Boolean).join(" · ")}</p>
      </div>
      {isActive ? null : (
        <Button
          disabled={!all.can_change || isGoing(all.job)}
          aria-label={t("engines.use.this", { build: name })}
          onClick={() => give.mutate({ do: "use", build: name })}
        >
          {t("engines.use")}
        </Button>
      )}
      {build ? (
        <Menu
          entries={entries}
          trigger={
            <IconButton label={t("engines.more", { build: name })}>
              <Ellipsis />
            </IconButton>
          }
        />
      ) : null}
    </li>
  );
}
