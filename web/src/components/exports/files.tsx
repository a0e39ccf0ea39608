import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { LINK } from "@/components/training/deeds";
import { Button } from "@/components/ui/button";
import { joined } from "@/components/ui/joined";
import { Card, CopyButton } from "@/components/ui/pieces";
import { addressOf, archiveOf, type Export, filesOf, type Made, madeBy } from "@/services/exports";
import { isLive } from "@/services/jobs";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { Certificate } from "./certificate";
import { Followed } from "./followed";
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
  const there = useQuery(filesOf(job)).data ?? [];
  const archive = isLive(job) || there.length === 0 ? null : archiveOf(job.id);
  const close = () => setOpened(null);
  return (
    <Card title={t("export.files")}>
      {made.length === 0 ? <p className="text-soft">{t("export.files.none")}</p> : null}
      <ul className="-my-3 divide-y divide-line">
        {made.map((one) => (
          <li key={one.kind} className="flex flex-col gap-2 py-3">
            <Place made={one} />
            <Links links={one.links} />
            <Followed told={one.followed} />
            {one.file === null ? null : (
              <Deeds id={job.id} made={{ ...one, file: one.file }} there={there} onOpen={setOpened} />
            )}
          </li>
        ))}
      </ul>
      {archive === null ? null : (
        <a href={archive} download={`${job.name}.zip`} className={joined(LINK, "mt-4")}>
          {t("export.archive")}
        </a>
      )}
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
      <span className="font-medium break-words">{kind === "merged" ? t("export.files.merged") : kind}</span>
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
  /** What lies in the folder of files, such as a Modelfile beside this one. */
  there: readonly string[];
  onOpen: (opened: Opened) => void;
}

function Deeds({ id, made, there, onOpen }: DeedsProps) {
  const t = useWords();
  const { file } = made;
  const beside = [file, file.replace(/\.gguf$/, ".Modelfile"), ...piecesBehind(file, there)];
  const fetched = beside.filter((name) => name === file || there.includes(name));
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
      {fetched.map((name) => {
        const address = addressOf(id, name);
        return address === null ? null : (
          <a
            key={name}
            href={address}
            download={name}
            aria-label={t("export.download.one", { file: name })}
            className={LINK}
          >
            {name === file ? t("export.download") : shortOf(name)}
          </a>
        );
      })}
    </div>
  );
}

const PIECE = /-(\d{5}-of-\d{5})\.gguf$/;

/** The other pieces of a file that was split, which is told by its first. */
function piecesBehind(file: string, there: readonly string[]): string[] {
  const found = PIECE.exec(file);
  if (!found) return [];
  const stem = file.slice(0, found.index);
  return there.filter((name) => name !== file && PIECE.test(name) && name.replace(PIECE, "") === stem);
}

/** What is told of a file that lies beside another: which piece it is, or for whom it is. */
const shortOf = (name: string) => PIECE.exec(name)?.[1] ?? name.split(".").at(-1) ?? name;
