import { Badge, Card } from "@/components/ui/pieces";
import type { SystemFacts } from "@/services/system";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";

/** Which paddock this is, and under which licences. */
export function About({ facts }: { facts: SystemFacts }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <Card title={t("about.title")}>
      <div className="flex flex-col gap-2 text-sm">
        <p>
          {t("about.version", { version: facts.version, python: facts.python })}{" "}
          <span className="text-soft">{t("about.started", { when: a.moment(facts.started_s) })}</span>
        </p>
        {facts.platform.experimental.length > 0 ? <Experimental platform={facts.platform} /> : null}
        <p className="max-w-prose text-soft">{t("about.licence")}</p>
        <p>
          <a href="/licenses.txt" className="text-accent underline underline-offset-2">
            {t("about.licences")}
          </a>
        </p>
      </div>
    </Card>
  );
}

/** What nobody has tried on such a machine. */
function Experimental({ platform }: { platform: SystemFacts["platform"] }) {
  const t = useWords();
  return (
    <div>
      <p className="max-w-prose">
        <Badge tone="warn">{t("about.experimental")}</Badge>{" "}
        {t("about.experimental.on", { platform: platform.name })}
      </p>
      <ul className="list-disc pl-5">
        {platform.experimental.map((feature) => (
          <li key={feature}>{t(`feature.${feature}`)}</li>
        ))}
      </ul>
    </div>
  );
}
