import { Power } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { shutDown } from "@/services/system";
import { useConnection } from "@/stores/connection";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

/** Ends paddock, once that was confirmed. */
export function ShutDown() {
  const t = useWords();
  const [isAsked, setAsked] = useState(false);
  const end = async () => {
    try {
      await shutDown();
      useConnection.setState({ isEnded: true });
    } catch (error) {
      tellFailure(error);
    }
    setAsked(false);
  };
  return (
    <>
      <Button onClick={() => setAsked(true)}>
        <Power className="size-4" />
        {t("end.button")}
      </Button>
      <Dialog
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        title={t("end.title")}
        about={t("end.about")}
        foot={
          <>
            <Button onClick={() => setAsked(false)}>{t("act.cancel")}</Button>
            <Button kind="danger" onClick={() => void end()}>
              {t("end.do")}
            </Button>
          </>
        }
      />
    </>
  );
}
