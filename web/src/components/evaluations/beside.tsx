import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ChoiceField } from "@/components/ui/field";
import { Fault, Loading } from "@/components/ui/pieces";
import { against, type Compared, type Difference, type Evaluation } from "@/services/evaluations";
import { type Translate, useWords } from "@/words";
import { type Amounts, useAmounts } from "@/words/amounts";

/** An evaluation beside an earlier one of the same tries, such as that of the model before its fine-tune. */
export function Beside({ job, others }: { job: Evaluation; others: Evaluation[] }) {
  const t = useWords();
  const a = useAmounts();
  const [chosen, setChosen] = useState("");
  const before = others.find(({ id }) => id === chosen) ?? others[0];
  const found = useQuery({ ...against(before?.id ?? "", job.id), enabled: before !== undefined });
  return (
    <div className="flex flex-col gap-3">
      <ChoiceField
        label={t("evaluation.before")}
        hint={t("evaluation.before.hint")}
        value={before?.id ?? ""}
        onChange={(event) => setChosen(event.target.value)}
        choices={others.map((one) => ({
          value: one.id,
          label: `${one.spec.model} · ${a.moment(one.created_s)}`,
        }))}
      />
      {found.isPending ? <Loading /> : null}
      {found.error ? <Fault error={found.error} onRetry={() => void found.refetch()} /> : null}
      {found.data ? <Table compared={found.data} /> : null}
    </div>
  );
}

function Table({ compared: { cases, total, text, left_out } }: { compared: Compared }) {
  const t = useWords();
  const a = useAmounts();
  const rows = total ? [...cases, { ...total, case: t("evaluation.in_all") }] : [];
  const headings = ["before.short", "after.short", "gained", "lost", "difference", "chance"] as const;
  return (
    <>
      {rows.length > 0 ? (
        <section aria-label={t("evaluation.beside")} tabIndex={0} className="overflow-x-auto">
          <table className="w-full text-sm tabular-nums">
            <thead>
              <tr className="text-soft">
                <th scope="col" className="pe-4 text-start font-medium">
                  {t("evaluation.case")}
                </th>
                {headings.map((one) => (
                  <th key={one} scope="col" className="ps-4 text-end font-medium">
                    {t(`evaluation.${one}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.case} className="border-t border-line">
                  <th scope="row" className="pe-4 py-1 text-start font-normal break-words">
                    {one.case}
                  </th>
                  {cells(t, a, one).map((text, place) => (
                    <td key={headings[place]} className="ps-4 text-end whitespace-nowrap">
                      {text}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
      {text ? (
        <p className="text-sm">
          {t("evaluation.bits", {
            before: a.number(text.before, 4),
            after: a.number(text.after, 4),
            difference: signed(a, text.difference, 4),
            low: text.difference_low === null ? "–" : signed(a, text.difference_low, 4),
            high: text.difference_high === null ? "–" : signed(a, text.difference_high, 4),
            texts: text.texts,
          })}
        </p>
      ) : null}
      {left_out > 0 ? <p className="text-sm text-soft">{t("evaluation.left_out", { n: left_out })}</p> : null}
    </>
  );
}

/** What stands under the headings, in their order. */
const cells = (t: Translate, a: Amounts, one: Difference) => [
  `${a.count(one.before)}/${a.count(one.of)}`,
  `${a.count(one.after)}/${a.count(one.of)}`,
  a.count(one.gained),
  a.count(one.lost),
  t("evaluation.points", points(a, one)),
  a.number(one.chance, 3),
];

const points = (a: Amounts, { difference, low, high }: Difference) => ({
  difference: signed(a, 100 * difference, 1),
  low: signed(a, 100 * low, 1),
  high: signed(a, 100 * high, 1),
});

const signed = (a: Amounts, value: number, digits: number) =>
  `${value > 0 ? "+" : ""}${a.number(value, digits)}`;
