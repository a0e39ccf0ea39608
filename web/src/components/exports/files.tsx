import { useState } from "react";
import { LINK } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { Card, CopyButton } from "@/components/ui/pieces";
import { addressOf, type Export, type Made, madeBy } from "@/services/exports";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Certificate } from "./certificate";
import { ImportDialog } from "./import-dialog";
import { Links, Verdict } from "./verdict";

interface Opened {
  kind: "certificate" | "import";
  made: Made & { file: string };
}

/** What an export made: where it lies, what its certificate says, and what can be done with it. */
export function Files({ job }: { job: Export }) {
  const t = useWords();
  const [opened, setOpened] = useState<Opened | null>(null);
  const made = madeBy(job);
  const close = () => setOpened(null);
  return (
    <Card title={t("export.files")}>
      {made.length === 0 ? <p className="text-soft">{t("export.files.none")}</p> : null}
      <ul className="-my-3 divide-y divide-line">
        {made.map((one) => (
          <li key={one.kind} className="flex flex-col gap-2 py-3">
            <Place made={one} />
            <Links links={one.links} />
            {one.file === null ? null : (
              <Deeds id={job.id} made={{ ...one, file: one.file }} onOpen={setOpened} />
            )}
          </li>
        ))}
      </ul>
      {opened?.kind === "certificate" ? (
        <Certificate id={job.id} file={opened.made.file} onClose={close} />
      ) : null}
      {opened?.kind === "import" ? <ImportDialog id={job.id} made={opened.made} onClose={close} /> : null}
    </Card>
  );
}

function Place({ made: { kind, file, path, size_bytes, verdict } }: { made: Made }) {
  const t = useWords();
  const a = useAmounts();
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
      <span className="font-medium break-words">{file === null ? t("export.files.merged") : kind}</span>
      {file === null ? null : <Verdict verdict={verdict} />}
      <code className="min-w-0 flex-[1_1_16rem] font-mono break-all text-soft">{path}</code>
      <span className="tabular-nums">{a.bytes(size_bytes)}</span>
      <CopyButton text={path} label={t("export.files.copy", { path })} />
    </div>
  );
}

interface DeedsProps {
  id: string;
  made: Opened["made"];
  onOpen: (opened: Opened) => void;
}

function Deeds({ id, made, onOpen }: DeedsProps) {
  const t = useWords();
  const { file } = made;
  const address = addressOf(id, file);
  return (
    <div className="flex flex-wrap gap-2">
      {made.verdict === null ? null : (
        <Button
          aria-label={t("export.certificate.one", { file })}
          onClick={() => onOpen({ kind: "certificate", made })}
        >
          {t("export.certificate")}
        </Button>
      )}
      <Button aria-label={t("export.import.one", { file })} onClick={() => onOpen({ kind: "import", made })}>
        {t("export.import")}
      </Button>
      {address === null ? null : (
        <a href={address} download={file} aria-label={t("export.download.one", { file })} className={LINK}>
          {t("export.download")}
        </a>
      )}
    </div>
  );
}
