import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { AreaField } from "@/components/ui/field";
import { Fault, Loading, Snippet } from "@/components/ui/pieces";
import { saveFile } from "@/services/files";
import { checkOptions, type Spec } from "@/services/training";
import { useWords } from "@/words";

/** Takes options from YAML, which the server reads and checks. */
export function ReadYaml({ onClose, onRead }: { onClose: () => void; onRead: (spec: Spec) => void }) {
  const t = useWords();
  const [text, setText] = useState("");
  const read = useMutation({
    mutationFn: () => checkOptions({ yaml: text }),
    onSuccess: ({ spec }) => {
      onRead(spec as Spec);
      onClose();
    },
  });
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("train.yaml.read")}
      about={t("train.yaml.read.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.cancel")}</Button>
          <Button kind="strong" disabled={!text.trim() || read.isPending} onClick={() => read.mutate()}>
            {t("train.yaml.use")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        <AreaField
          label="YAML"
          rows={10}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <label className="text-sm">
          <span className="block font-medium">{t("train.yaml.file")}</span>
          <input
            type="file"
            accept=".yaml,.yml"
            onChange={(event) => void event.target.files?.[0]?.text().then(setText)}
          />
        </label>
        {read.error ? <Fault error={read.error} /> : null}
      </div>
    </Dialog>
  );
}

/** Shows options as the YAML that `paddock train run` takes. */
export function WriteYaml({ spec, name, onClose }: { spec: Spec; name: string; onClose: () => void }) {
  const t = useWords();
  const { data, error } = useQuery({
    queryKey: ["api", "training-yaml", spec],
    queryFn: () => checkOptions({ spec }),
    retry: false,
  });
  return (
    <Dialog
      isOpen
      isWide
      onClose={onClose}
      title={t("train.yaml.write")}
      about={t("train.yaml.write.about")}
      foot={
        <>
          <Button onClick={onClose}>{t("act.close")}</Button>
          <Button disabled={!data} onClick={() => data && saveFile(`${name || "training"}.yaml`, data.yaml)}>
            {t("act.save")}
          </Button>
        </>
      }
    >
      <div className="pb-2">
        {error ? <Fault error={error} /> : data ? <Snippet text={data.yaml} label="YAML" /> : <Loading />}
      </div>
    </Dialog>
  );
}
