import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { listedModels } from "@/services/models";
import { useWords } from "@/words";

const STEPS = ["one", "two", "three"] as const;

/** Three sentences for who is here for the first time; the last one ends in the chat's field. */
export function Tour({ onDone }: { onDone: () => void }) {
  const t = useWords();
  const navigate = useNavigate();
  const [step, setStep] = useState(0);
  const models = useQuery(listedModels);
  const name = STEPS[step] ?? "one";
  const isLast = step === STEPS.length - 1;
  const start = () => {
    onDone();
    void navigate({ to: "/" }).then(() => document.querySelector<HTMLElement>("[data-composer]")?.focus());
  };
  return (
    <Dialog
      isOpen
      onClose={onDone}
      title={t("tour.title")}
      about={t("tour.step", { n: step + 1, all: STEPS.length })}
      foot={
        <>
          <Button kind="quiet" onClick={onDone}>
            {t("tour.skip")}
          </Button>
          <Button kind="strong" onClick={() => (isLast ? start() : setStep(step + 1))}>
            {isLast ? t("tour.start") : t("tour.next")}
          </Button>
        </>
      }
    >
      <h3 className="font-semibold">{t(`tour.${name}.title`)}</h3>
      <p className="pb-4">{t(`tour.${name}`, { model: models.data?.[0]?.id ?? "pocket-v0" })}</p>
    </Dialog>
  );
}
