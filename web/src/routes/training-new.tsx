import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { NewTraining } from "@/components/training/new-training";
import { Fault, Loading, Page } from "@/components/ui/pieces";
import { changed, type Spec, training, trainingOptions, trainings } from "@/services/training";
import { useWords } from "@/words";

export function TrainingNewRoute() {
  const t = useWords();
  const { from = "" } = useSearch({ from: "/training/new" });
  const options = useQuery(trainingOptions);
  const here = useQuery(trainings);
  const source = useQuery({ ...training(from), enabled: from !== "" });
  const error = options.error ?? here.error ?? source.error;
  const isReady = options.data && here.data && (from === "" || source.data);
  return (
    <Page title={t("train.new")} about={t("train.new.about")}>
      {error ? <Fault error={error} onRetry={() => void options.refetch()} /> : null}
      {isReady ? (
        <NewTraining
          key={from}
          options={options.data}
          hasStack={here.data.has_stack}
          from={from}
          initial={source.data ? changed(source.data.spec as Spec, options.data) : {}}
          initialName={source.data?.name ?? ""}
        />
      ) : error ? null : (
        <Loading />
      )}
    </Page>
  );
}
