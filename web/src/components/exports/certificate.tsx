import { useQuery } from "@tanstack/react-query";
import { figureIn } from "@/components/training/figures";
import { Dialog } from "@/components/ui/dialog";
import { Fault, Loading } from "@/components/ui/pieces";
import {
  type Certificate as Certified,
  certificate,
  type Difference,
  differencesIn,
  faultsIn,
  numbersIn,
} from "@/services/exports";
import { type Key, useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { LinkVerdict, linkIn } from "./verdict";

const SHOWN_MOST = 20;
const NAMED = [
  "kl_mean",
  "scores_mean",
  "same_first",
  "positions",
  "tensors",
  "prompts",
  "compared",
  "different",
];

interface Props {
  id: string;
  file: string;
  onClose: () => void;
}

/** The certificate of a file: each link with what is said of it, what was told otherwise, and its figures. */
export function Certificate({ id, file, onClose }: Props) {
  const t = useWords();
  const { data, error, refetch } = useQuery(certificate(id, file));
  return (
    <Dialog isOpen isWide onClose={onClose} title={t("export.certificate.one", { file })}>
      {error ? <Fault error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Said certificate={data} /> : error ? null : <Loading />}
    </Dialog>
  );
}

function Said({ certificate: told }: { certificate: Certified }) {
  const t = useWords();
  const a = useAmounts();
  const { prompts, greedy, made_s, method } = told;
  return (
    <div className="flex flex-col gap-4 pb-2">
      <p className="text-sm text-soft">
        {t("export.certificate.about", {
          moment: a.moment(made_s),
          prompts,
          same: greedy.same ?? 0,
          of: greedy.of ?? 0,
        })}
      </p>
      {Object.entries(told.links).map(([link, { verdict, says }]) => (
        <section key={link} aria-label={linkIn(t, link)} className="flex flex-col gap-2">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold">
            {linkIn(t, link)} <LinkVerdict verdict={verdict} />
          </h3>
          <p className="text-sm break-words">{says}</p>
          <Failing differences={differencesIn(told, link)} faults={faultsIn(told, link)} />
          <Figures link={link} figures={numbersIn(told, link)} />
        </section>
      ))}
      <details className="text-sm">
        <summary className="cursor-pointer">{t("export.certificate.method")}</summary>
        <p className="mt-1 break-words text-soft">{method}</p>
      </details>
    </div>
  );
}

/** The prompts and texts that the file tells otherwise, side by side. */
function Failing({ differences, faults }: { differences: Difference[]; faults: string[] }) {
  const t = useWords();
  if (differences.length + faults.length === 0) return null;
  const left = differences.length - SHOWN_MOST;
  return (
    <div className="rounded-lg border border-line p-3 text-sm">
      <h4 className="mb-1 font-medium">{t("export.certificate.failing")}</h4>
      <ul className="flex flex-col gap-2">
        {differences.slice(0, SHOWN_MOST).map(({ name, at, source, file }) => (
          <li key={`${name} ${at}`}>
            <p>
              <span className="font-medium break-words">{name}</span>{" "}
              <span className="text-soft">{t("export.certificate.at", { at })}</span>
            </p>
            <dl className="grid grid-cols-[max-content_1fr] gap-x-3">
              <dt className="text-soft">{t("export.certificate.source")}</dt>
              <dd className="font-mono break-all whitespace-pre-wrap">{source}</dd>
              <dt className="text-soft">{t("export.certificate.file")}</dt>
              <dd className="font-mono break-all whitespace-pre-wrap">{file}</dd>
            </dl>
          </li>
        ))}
        {faults.slice(0, SHOWN_MOST).map((fault) => (
          <li key={fault} className="break-words">
            {fault}
          </li>
        ))}
      </ul>
      {left > 0 ? <p className="mt-1 text-soft">{t("export.certificate.some", { n: left })}</p> : null}
    </div>
  );
}

function Figures({ link, figures }: { link: string; figures: [string, number][] }) {
  const t = useWords();
  const a = useAmounts();
  if (figures.length === 0) return null;
  const name = (one: string) => (NAMED.includes(one) ? t(`export.figure.${one}` as Key) : one);
  return (
    <details className="text-sm">
      <summary
        className="cursor-pointer"
        aria-label={t("export.certificate.figures.of", { link: linkIn(t, link) })}
      >
        {t("export.certificate.figures")}
      </summary>
      <table className="mt-1">
        <thead className="sr-only">
          <tr>
            <th scope="col">{t("export.certificate.figure")}</th>
            <th scope="col">{t("export.certificate.value")}</th>
          </tr>
        </thead>
        <tbody>
          {figures.map(([one, value]) => (
            <tr key={one}>
              <td className="pe-4 text-soft break-words">{name(one)}</td>
              <td className="text-end tabular-nums">{figureIn(a, one)(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
