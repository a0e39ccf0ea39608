"""Owns what evaluations know of the models here: what stands behind a name, and the newest score of a model's file.

Refuses to know what is tried.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from paddock.api.edge import Edge
from paddock.errors import BadRequest, FieldInvalid, ModelUnusable
from paddock.evaluation.intervals import wilson
from paddock.evaluation.subject import Subject, read_subject, state_key
from paddock.install.builds import EMBEDDED_NAME
from paddock.models.catalog import Model
from paddock.serving.shelf import Shelf
from paddock.store.scores import Score


def subjects(shelf: Shelf, engine: str) -> Callable[[str], Awaitable[Subject]]:
    """What tells which file, template and engine stand behind a name; a file that is as it was is read once.

    What it makes raises ModelUnknown or ModelUnusable.
    """
    known: dict[str, Subject] = {}
    build = _build(engine)

    async def find(name: str) -> Subject:
        model = await shelf.find(name)

        def look() -> Subject:
            files, override, scales = _behind(shelf, model)
            state = state_key(files, override, scales)
            if state and state in known:
                return replace(known[state], model=model.tuned_id)
            path = shelf.saved.template_path(shelf.saved.get(model.id))
            try:
                text = path.read_text("utf-8") if path else shelf.catalog.header(model).chat_template or ""
            except OSError as error:
                raise ModelUnusable(f"The template set for '{model.id}' cannot be read ({error.strerror}).") from error
            subject = read_subject(model.tuned_id, files, template=text, override=override, engine=build, scales=scales)
            known[subject.file_state] = subject
            return subject

        return await anyio.to_thread.run_sync(look)

    return find


@dataclass(frozen=True, kw_only=True)
class Following:
    """Has what an export made evaluated: put among the models by a link, under its file's name (`export/following.py`).

    It is told of no caller: whoever exports was let in before.
    """

    edge: Edge

    async def refuse(self, names: Sequence[str]) -> None:
        """Raises FieldInvalid where a model of one of these names is there already."""
        there = {model.id.casefold() for model in await self.edge.shelf.models()}
        if taken := next((name for name in names if name.casefold() in there), None):
            raise FieldInvalid(
                f"There is a model '{taken}' already, and what is evaluated is put among the models by its file's "
                "name. Choose another name, or remove that model.",
                param="name",
            )

    async def begun(self, file: Path, suites: Sequence[str]) -> Mapping[str, Any]:
        """Begin evaluations of a file, or go on with them: `model`, and `jobs` by suite. Raises PaddockError."""
        model = await anyio.to_thread.run_sync(self._among_models, file)
        refuse_silent(model)
        jobs: dict[str, str] = {}
        for suite in suites:
            job = await self.edge.evaluations.start({"suite": suite, "model": model.tuned_id}, None)
            jobs[suite] = job.id
        return {"model": model.id, "jobs": jobs}

    def _among_models(self, file: Path) -> Model:
        """The model that this file is, put there if it is not yet. Raises BadRequest, ModelUnusable or HomeUnusable."""
        catalog = self.edge.shelf.catalog
        is_there = (model for model in catalog.models() if model.path.exists() and os.path.samefile(model.path, file))
        return next(is_there, None) or catalog.import_file(file)


def refuse_silent(model: Model) -> None:
    """Raises BadRequest for a model that does not answer in text."""
    if model.task != "text":
        raise BadRequest(f"'{model.id}' does not answer in text: there is nothing to judge.", param="model")


async def scored(edge: Edge, models: Iterable[Model]) -> dict[str, dict[str, Any]]:
    """By the names under which models are asked, the newest score of each suite, for exactly their file and template.

    Models without one are left out.
    """
    scores = await edge.evaluations.scores()
    if not scores:
        return {}
    suites = sorted({suite for suite, _ in scores})

    def look() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for model in models:
            try:
                state = state_key(*_behind(edge.shelf, model))
            except ModelUnusable:
                continue
            own = {suite: _told(scores[suite, state]) for suite in suites if (suite, state) in scores}
            if own:
                found[model.tuned_id] = {"evaluations": own}
        return found

    return await anyio.to_thread.run_sync(look)


def _behind(shelf: Shelf, model: Model) -> tuple[list[Path], str, list[float]]:
    """The files behind a model, the name of the template set for it, and its adapters' scales. Raises ModelUnusable."""
    files = [*shelf.catalog.header(model).files, *(one.path for one in model.adapters)]
    return files, shelf.saved.get(model.id).chat_template or "", [one.scale for one in model.adapters]


def _told(score: Score) -> Mapping[str, Any]:
    low, high = wilson(score.passed, score.tries)
    return {
        "id": score.job_id,
        "passed": score.passed,
        "of": score.tries,
        "share": round(score.passed / score.tries, 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "engine": score.engine,
        "at_s": score.at_s,
    }


def _build(engine: str) -> str:
    """The build of the engine by its name; of the embedded one with the version of its library."""
    if engine != EMBEDDED_NAME:
        return engine
    try:
        return f"{engine} {importlib.metadata.version('xllamacpp')}"
    except importlib.metadata.PackageNotFoundError:
        return engine
