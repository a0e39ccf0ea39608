"""Owns the steps of one export, from its order to its last file: each whole or not there, none done twice."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paddock.errors import PaddockError
from paddock.export.spec import PLAIN, ExportSpec, spec_of
from paddock.export.worker.ledger import Ledger
from paddock.export.worker.merging import merge, refuse_beyond_f16
from paddock.export.worker.programs import Wished, runner
from paddock.export.worker.quantising import quantise, used
from paddock.export.worker.source import Source
from paddock.jobs.folder import JobFolder, Report
from paddock.models import converting


class Work:
    """One export in its folder: `merged`, `files`, and `between` for what only other files are made of."""

    def __init__(self, job: JobFolder, report: Report) -> None:
        self._order: dict[str, Any] = job.order()
        self._spec: ExportSpec = spec_of(self._order["spec"])
        self._source = Source.of(self._order["source"])
        self._job = job
        self._report = report
        self._ledger = Ledger(job.root)
        self._run = runner(job)

    def carry_out(self) -> str:
        """Do what is not done yet; "done". Raises PaddockError, OSError or Wished."""
        spec = self._spec
        self._ledger.clear_halves()
        self._ledger.hold_to(self._source.folders)
        self._report.tell("started", torch=version("torch"), quantiser=used(self._order["quantiser"]))
        plain = [one for one in PLAIN if one in {*spec.types, spec.plain}]
        small = [one for one in spec.types if one not in PLAIN]
        steps = [
            *([("merge", "")] if self._source.adapter else []),
            *(("convert", one) for one in plain),
            *(("quantise", one) for one in small),
            *([("certify", "")] if spec.certifies or self._order["verifying"] else []),
        ]
        if self._order["verifying"]:
            self._refuse_lacking([one for one in steps if one[0] != "certify"])
            steps = steps[-1:]
        for number, (what, kind) in enumerate(steps, 1):
            self._heed()
            name = f"{what} {kind}".strip()
            self._report.tell("step", step=number, steps=len(steps), doing=name)
            if what == "certify":
                self._certify([*plain, *small])
            elif not self._ledger.is_done(name):
                self._make(what, kind)
                self._ledger.note(name, [self._folder_or_file(what, kind)])
            if what != "certify":
                self._tell_artifact(what, kind)
        return "done"

    def _make(self, what: str, kind: str) -> None:
        target = self._folder_or_file(what, kind)
        target.parent.mkdir(parents=True, exist_ok=True)
        if what == "merge":
            merge(self._source, target)
        elif what == "convert":
            if kind == "F16":
                refuse_beyond_f16(self._whole)
            converting.convert("model", self._whole, target, "--outtype", kind.lower(), run=self._run)
        else:
            quantise(self._file(self._spec.plain), target, kind, by=self._order["quantiser"], run=self._run)

    def _refuse_lacking(self, steps: list[tuple[str, str]]) -> None:
        """What was done to a file since it was made is what is to be looked at; what is not there cannot be."""
        for what, kind in steps:
            if not (path := self._folder_or_file(what, kind)).exists():
                raise PaddockError(f"{path} is not there any more. Begin a new export.")

    def _certify(self, kinds: list[str]) -> None:
        # Slow to import, and of no use to the steps before.
        from paddock.export.worker.certifying import Chain, Means, certify

        chain = Chain(
            source=self._source,
            merged=self._merged if self._source.adapter else None,
            plain=self._spec.plain,
            files={one: self._file(one) for one in kinds},
        )
        means = Means(
            python=self._order["python"],
            engine=self._order["engine"],
            folder=self._job.root / ".certifying.draft",
            run=self._run,
            is_wished=self._heed,
            say=lambda text: self._report.tell("progress", progress=text),
        )
        for kind, path in certify(chain, self._spec.types, means).items():
            made = json.loads(path.read_text("utf-8"))
            links = {name: one["verdict"] for name, one in made["links"].items()}
            faults = [
                f"{name}: {one['says']}" for name, one in made["links"].items() if one["verdict"] in ("warn", "fail")
            ]
            self._report.tell(
                "certificate", name=kind, verdict=made["verdict"], links=links, path=str(path), faults=faults
            )

    @property
    def _merged(self) -> Path:
        return self._job.root / "merged"

    @property
    def _whole(self) -> Path:
        return self._merged if self._source.adapter else self._source.base

    def _file(self, kind: str) -> Path:
        folder = "files" if kind in self._spec.types else "between"
        return self._job.root / folder / f"{self._spec.name}-{kind}.gguf"

    def _folder_or_file(self, what: str, kind: str) -> Path:
        return self._merged if what == "merge" else self._file(kind)

    def _tell_artifact(self, what: str, kind: str) -> None:
        path = self._folder_or_file(what, kind)
        size = sum(one.stat().st_size for one in path.rglob("*")) if path.is_dir() else path.stat().st_size
        if what == "merge" or kind in self._spec.types:
            self._report.tell("artifact", name=kind or "merged", path=str(path), size_bytes=size)

    def _heed(self) -> None:
        """Raises Wished."""
        if self._job.wish():
            raise Wished("It was stopped.")
