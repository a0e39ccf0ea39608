import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ChoiceField, Field } from "@/components/ui/field";
import { Card, Snippet } from "@/components/ui/pieces";
import { type Adapter, here } from "@/services/models";
import { useModelsView } from "@/stores/models";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** LoRA adapters, which are laid over a model by its name. */
export function Adapters() {
  const t = useWords();
  const amounts = useAmounts();
  const open = useModelsView((state) => state.open);
  const [chosen, choose] = useState<Adapter | null>(null);
  const adapters = useQuery(here).data?.adapters ?? [];
  if (adapters.length === 0) return null;
  return (
    <Card title={t("models.adapters")}>
      <p className="mb-3 text-sm text-soft">{t("models.adapters.about")}</p>
      <ul aria-label={t("models.adapters")} className="flex flex-col gap-3">
        {adapters.map((one) => (
          <li key={one.id} aria-label={one.id} className="flex flex-wrap items-center gap-3">
            <div className="min-w-0 flex-1 basis-52">
              <p className="font-medium break-all">{one.id}</p>
              <p className="text-sm text-soft">
                {[
                  amounts.bytes(one.size_bytes),
                  one.fits.length > 0
                    ? t("models.adapters.fits", { models: one.fits.join(", ") })
                    : t("models.adapters.fits.none", { architecture: one.architecture }),
                ].join(" · ")}
              </p>
            </div>
            <Button disabled={one.fits.length === 0} onClick={() => choose(one)}>
              {t("models.adapters.use")}
            </Button>
            {one.origin === "imported" || one.origin === "pulled" ? (
              <Button kind="danger" onClick={() => open({ kind: "remove", id: one.id })}>
                {t("models.remove")}
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
      {chosen ? <UseAdapter adapter={chosen} onClose={() => choose(null)} /> : null}
    </Card>
  );
}

function UseAdapter({ adapter, onClose }: { adapter: Adapter; onClose: () => void }) {
  const t = useWords();
  const amounts = useAmounts();
  const [base, setBase] = useState(adapter.fits[0] ?? "");
  const [scale, setScale] = useState(1);
  const name = `${base}+${adapter.id}${scale === 1 ? "" : `:${scale}`}`;
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("models.adapters.title", { id: adapter.id })}
      about={t("models.adapters.how")}
    >
      <div className="flex flex-col gap-4 pb-4">
        <ChoiceField
          label={t("models.adapters.base")}
          value={base}
          onChange={(event) => setBase(event.target.value)}
          choices={adapter.fits.map((id) => ({ value: id, label: id }))}
        />
        <Field
          label={t("models.adapters.scale", { scale: amounts.number(scale, 2) })}
          hint={t("models.adapters.scale.hint")}
        >
          {(named) => (
            <input
              {...named}
              type="range"
              min={-2}
              max={2}
              step={0.05}
              value={scale}
              onChange={(event) => setScale(Number(event.target.value))}
              className="w-full accent-(--accent)"
            />
          )}
        </Field>
        <Snippet text={name} label={t("models.adapters.name")} />
      </div>
    </Dialog>
  );
}
