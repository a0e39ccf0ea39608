"""Owns the steps of one export, from its order to its last file: each whole or not there, none done twice."""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paddock.errors import PaddockError
from paddock.export.bases import is_in_4_bits
from paddock.export.spec import ADAPTER, LORA, PLAIN, QUANTISED, ExportSpec, spec_of
from paddock.export.worker import modelfile
from paddock.export.worker.ledger import Ledger
from paddock.export.worker.merging import copy_adapter, merge, refuse_beyond_f16
from paddock.export.worker.pieces import found, split
from paddock.export.worker.programs import Wished, runner
from paddock.export.worker.quantising import quantise, used, weigh
from paddock.export.worker.reading import write_rows
from paddock.export.worker.source import Source
from paddock.jobs.folder import JobFolder, Report
from paddock.models import converting
from paddock.models.certificates import certificate_of
from paddock.models.entries import pieces_of

# What an adapter's file is compared with: its base, as a file of its own.
_BASE = "base"


class Work:
    """One export in its folder: `merged`, `files`, and `between` for what only other files are made of."""

    def __init__(self, job: JobFolder, report: Report) -> None:
        self._order: dict[str, Any] = job.order()
        self._spec: ExportSpec = spec_of(self._order["spec"])
        self._given = Source.of(self._order["source"])
        # What all but certificates are made of has its base as whole numbers.
        self._is_in_4_bits = is_in_4_bits(self._given.base)
        self._source = self._given.over(job.root / "between" / "base") if self._is_in_4_bits else self._given
        self._job = job
        self._report = report
        self._ledger = Ledger(job.root)
        self._run = runner(job)

    def carry_out(self) -> str:
        """Do what is not done yet; "done". Raises PaddockError, OSError or Wished."""
        self._ledger.clear_halves()
        self._ledger.hold_to(self._given.folders)
        self._report.tell("started", torch=version("torch"), quantiser=used(self._order["quantiser"]))
        steps = self._steps()
        if self._is_in_4_bits and ("certify", "") in steps and importlib.util.find_spec("bitsandbytes") is None:
            raise PaddockError(
                f"The weights in {self._given.base} are in 4 bits, and comparing has bitsandbytes read them, which "
                "this training stack lacks. `paddock setup python-stack` installs it on Linux and Windows; there is "
                "none for macOS. Export without a certificate there."
            )
        if self._order["verifying"]:
            self._refuse_lacking([one for one in steps if one[0] not in ("certify", "weigh", "describe")])
            steps = [one for one in steps if one[0] == "certify"]
        for number, (what, kind) in enumerate(steps, 1):
            self._heed()
            name = f"{what} {kind}".strip()
            self._report.tell("step", step=number, steps=len(steps), doing=name)
            if what == "certify":
                self._certify()
            elif not self._ledger.is_done(name):
                self._ledger.note(name, self._make(what, kind))
            if what not in ("certify", "weigh", "describe"):
                self._tell_artifact(what, kind)
        return "done"

    def _steps(self) -> list[tuple[str, str]]:
        """What is done, in this order, each with the type of file that it makes."""
        spec = self._spec
        whole = self._plain_types()
        certifies = spec.certifies or self._order["verifying"]
        return [
            *([("copy", ADAPTER)] if ADAPTER in spec.types else []),
            *([("dequantise", "")] if self._is_in_4_bits and {*spec.types} != {ADAPTER} else []),
            *([("convert", LORA)] if LORA in spec.types else []),
            *([("convert", _BASE)] if LORA in spec.types and certifies else []),
            *([("merge", "")] if self._source.adapter and whole else []),
            *(("convert", one) for one in whole),
            *([("weigh", "")] if spec.importance else []),
            *(("quantise", one) for one in spec.types if one in QUANTISED),
            *([("describe", "")] if spec.whole and not spec.split_bytes else []),
            *([("certify", "")] if certifies and {*spec.types} != {ADAPTER} else []),
        ]

    def _plain_types(self) -> list[str]:
        """The types of files with whole weights that are made, asked for or not."""
        return [one for one in PLAIN if self._spec.whole and one in {*self._spec.types, self._spec.plain}]

    def _make(self, what: str, kind: str) -> list[Path]:
        """Do one step; what it made."""
        if what == "describe":
            return [modelfile.write(self._source, self._file(one)) for one in self._spec.whole]
        target = self._target(what, kind)
        target.parent.mkdir(parents=True, exist_ok=True)
        quantiser = self._order["quantiser"]
        if what == "copy":
            copy_adapter(self._source, target)
        elif what == "dequantise":
            # Slow to import, and of no use to other bases.
            from paddock.export.worker.dequantising import dequantise

            dequantise(self._given.base, target)
        elif what == "merge":
            merge(self._source, target)
        elif what == "weigh":
            text = target.with_suffix(".txt")
            write_rows(self._source.tokenizer(), self._spec.importance, text)
            weigh(self._file(self._spec.plain), text, target, by=quantiser, run=self._run)
            text.unlink()
        elif what == "quantise":
            importance = self._importance if self._spec.importance else None
            plain = self._file(self._spec.plain)
            quantise(plain, target, kind, by=quantiser, run=self._run, importance=importance)
        else:
            self._convert(kind, target)
        if target.parent == self._between and kind in self._spec.whole:
            files = self._job.root / "files"
            files.mkdir(exist_ok=True)
            return split(target, files, self._spec.split_bytes)
        return [target]

    def _convert(self, kind: str, target: Path) -> None:
        if kind == LORA:
            base = str(self._source.base)
            converting.convert("adapter", self._source.needed_adapter, target, "--base", base, run=self._run)
            return
        folder = self._source.base if kind == _BASE else self._whole
        plain = self._spec.plain if kind == _BASE else kind
        if plain == "F16":
            refuse_beyond_f16(folder)
        converting.convert("model", folder, target, "--outtype", plain.lower(), run=self._run)

    def _refuse_lacking(self, steps: list[tuple[str, str]]) -> None:
        """What was done to a file since it was made is what is to be looked at; what is not there cannot be."""
        for what, kind in steps:
            path = self._made(what, kind)
            if path is None or not all(one.exists() for one in pieces_of(path)):
                raise PaddockError(f"{path or self._target(what, kind)} is not there any more. Begin a new export.")

    def _certify(self) -> None:
        # Slow to import, and of no use to the steps before.
        from paddock.export.worker.certifying import Chain, Means, certify

        kinds = [*self._plain_types(), *(one for one in self._spec.types if one in QUANTISED)]
        chain = Chain(
            source=self._given,
            dequantised=self._source.base if self._is_in_4_bits else None,
            merged=self._merged if self._source.adapter and kinds else None,
            plain=self._spec.plain,
            files={one: self._file(one) for one in kinds},
            beside=(self._target("convert", _BASE), self._file(LORA)) if LORA in self._spec.types else None,
            importance=self._importance if self._spec.importance else None,
        )
        means = Means(
            python=self._order["python"],
            engine=self._order["engine"],
            folder=self._job.root / ".certifying.draft",
            run=self._run,
            is_wished=self._heed,
            say=lambda text: self._report.tell("progress", progress=text),
        )
        wanted = [one for one in self._spec.types if one != ADAPTER]
        changed = {one: self._changed(one) for one in wanted}
        for kind, path in certify(chain, wanted, means).items():
            made = json.loads(path.read_text("utf-8"))
            links = {name: one["verdict"] for name, one in made["links"].items()}
            faults = [
                f"{name}: {one['says']}" for name, one in made["links"].items() if one["verdict"] in ("warn", "fail")
            ]
            self._report.tell(
                "certificate", name=kind, verdict=made["verdict"], links=links, path=str(path), faults=faults,
                changed=changed[kind],
            )  # fmt: skip

    def _changed(self, kind: str) -> list[str]:
        """The pieces of a type's file that hold other bytes than were compared before; none where nothing was."""
        before = certificate_of(self._file(kind))
        found = list(before.changed) if before else []
        if found:
            self._report.tell("progress", progress=f"other bytes than were compared before: {', '.join(found)}")
        return found

    @property
    def _merged(self) -> Path:
        return self._job.root / "merged"

    @property
    def _whole(self) -> Path:
        return self._merged if self._source.adapter else self._source.base

    @property
    def _between(self) -> Path:
        return self._job.root / "between"

    @property
    def _importance(self) -> Path:
        return self._between / "importance.gguf"

    def _target(self, what: str, kind: str) -> Path:
        """Where a step makes what it makes; a file that may be split is made where no other looks for it."""
        name = f"{self._spec.name}-{kind}"
        files = self._job.root / "files"
        if what == "merge":
            return self._merged
        if what == "dequantise":
            return self._source.base
        if what == "weigh":
            return self._importance
        if what == "copy":
            return files / f"{self._spec.name}-adapter"
        is_asked_for = kind in self._spec.types and not (self._spec.split_bytes and kind in self._spec.whole)
        return (files if is_asked_for else self._between) / f"{name}.gguf"

    def _file(self, kind: str) -> Path:
        """The file of a type, or its first piece. Raises PaddockError where it is not there."""
        if (path := self._made("convert", kind)) is None:
            raise PaddockError(f"The file in {kind} is not there any more. Begin a new export.")
        return path

    def _made(self, what: str, kind: str) -> Path | None:
        """What a step made; the first piece, where it is in several."""
        target = self._target(what, kind)
        if what in ("convert", "quantise") and target.parent == self._between and kind in self._spec.whole:
            return found(self._job.root / "files", f"{self._spec.name}-{kind}")
        return target if target.exists() else None

    def _tell_artifact(self, what: str, kind: str) -> None:
        path = self._made(what, kind)
        if path is None or not (what == "merge" or kind in self._spec.types):
            return
        of = list(path.rglob("*")) if path.is_dir() else pieces_of(path)
        size = sum(one.stat().st_size for one in of)
        self._report.tell("artifact", name=kind or "merged", path=str(path), size_bytes=size)

    def _heed(self) -> None:
        """Raises Wished."""
        if self._job.wish():
            raise Wished("It was stopped.")
