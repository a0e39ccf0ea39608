import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Fault } from "@/components/ui/pieces";
import { type Engines, isGoing, type Job, type Offer } from "@/services/engines";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { How } from "./job";
import { useOrder } from "./orders";

/** What could be installed: asked for by a button alone, each build with what is for and against it. */
export function Install({ all, onClose }: { all: Engines; onClose: () => void }) {
  const t = useWords();
  const give = useOrder();
  const job = all.job;
  const [asked, setAsked] = useState<number | null>(null);
  const looked = job?.do === "look" && job.number === asked ? job : null;
  const look = (tag?: string) =>
    give.mutate(
      { do: "look", afresh: true, ...(tag ? { tag } : {}) },
      { onSuccess: (begun) => setAsked(begun.number) },
    );
  const install = (offer: Offer, tag: string) => {
    const isSource = offer.name === "source";
    give.mutate(isSource ? { do: "install", from_source: true } : { do: "install", build: offer.name, tag }, {
      onSuccess: onClose,
    });
  };
  return (
    <Dialog isOpen isWide onClose={onClose} title={t("install.title")} about={t("install.about")}>
      <div className="flex flex-col gap-4 pb-4 text-sm">
        {isGoing(looked) && looked ? (
          <div className="flex items-center gap-3">
            <div className="min-w-0 flex-1">
              <How job={looked} />
            </div>
            <Button onClick={() => give.mutate({ do: "job/cancel" })}>{t("act.cancel")}</Button>
          </div>
        ) : (
          <Button kind={looked?.result ? "plain" : "strong"} className="self-start" onClick={() => look()}>
            {t(looked?.result ? "install.again" : "install.ask")}
          </Button>
        )}
        {looked?.error && !isGoing(looked) ? <Fault error={looked.error.message} /> : null}
        {looked?.result && !isGoing(looked) ? (
          <Found looked={looked} onLook={look} onInstall={install} />
        ) : null}
      </div>
    </Dialog>
  );
}

function Found({
  looked,
  onLook,
  onInstall,
}: {
  looked: Job;
  onLook: (tag: string) => void;
  onInstall: (offer: Offer, tag: string) => void;
}) {
  const t = useWords();
  const { tag = "", newest, offers = [] } = looked.result ?? {};
  const fitting = offers.filter(({ fits }) => fits);
  const others = offers.filter(({ fits }) => !fits);
  return (
    <>
      {newest && newest !== tag ? (
        <p className="flex flex-wrap items-center gap-2 rounded-lg bg-tint px-3 py-2">
          <span className="min-w-0 flex-1">{t("install.newer", { newest, tag })}</span>
          <Button onClick={() => onLook(newest)}>{t("install.look.at", { tag: newest })}</Button>
        </p>
      ) : newest ? (
        <p className="text-soft">{t("install.newest", { tag })}</p>
      ) : null}
      {fitting.length === 0 ? <p>{t("install.none")}</p> : null}
      <ul className="divide-y divide-line">
        {fitting.map((offer, place) => (
          <OfferRow
            key={offer.name}
            offer={offer}
            isBest={place === 0}
            onInstall={() => onInstall(offer, tag)}
          />
        ))}
      </ul>
      {others.length > 0 ? (
        <details>
          <summary className="py-1 text-soft">{t("install.others", { n: others.length })}</summary>
          <ul className="divide-y divide-line">
            {others.map((offer) => (
              <OfferRow key={offer.name} offer={offer} isBest={false} />
            ))}
          </ul>
        </details>
      ) : null}
    </>
  );
}

function OfferRow({ offer, isBest, onInstall }: { offer: Offer; isBest: boolean; onInstall?: () => void }) {
  const t = useWords();
  const a = useAmounts();
  const name = offer.name === "source" ? t("install.source") : offer.name;
  return (
    <li className="flex flex-wrap items-center gap-3 py-2.5">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-all">{name}</span>
          {isBest ? <Badge tone="good">{t("install.best")}</Badge> : null}
        </p>
        <p className="text-soft">
          {offer.reason} {t("install.size", { size: a.bytes(offer.size_bytes) })}
        </p>
      </div>
      {onInstall ? (
        <Button aria-label={t("install.this", { build: name })} onClick={onInstall}>
          {t("install.do")}
        </Button>
      ) : null}
    </li>
  );
}
