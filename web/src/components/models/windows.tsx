import { useQuery } from "@tanstack/react-query";
import { EvaluationsDialog } from "@/components/evaluations/dialog";
import { here } from "@/services/models";
import { useModelsView } from "@/stores/models";
import { LoadDialog } from "./load-dialog";
import { RemoveDialog } from "./remove-dialog";
import { SettingsDialog } from "./settings-dialog";
import { TemplateDialog } from "./template-dialog";

/** The window that is open over the list, if one is. */
export function Windows() {
  const { opened, open } = useModelsView();
  const models = useQuery(here).data?.models;
  if (!opened) return null;
  const onClose = () => open(null);
  if (opened.kind === "remove") return <RemoveDialog id={opened.id} onClose={onClose} />;
  const model = models?.find((one) => one.id === opened.id);
  if (!model) return null;
  const Window = {
    load: LoadDialog,
    settings: SettingsDialog,
    template: TemplateDialog,
    evaluations: EvaluationsDialog,
  }[opened.kind];
  return <Window key={`${opened.kind} ${model.id}`} model={model} onClose={onClose} />;
}
