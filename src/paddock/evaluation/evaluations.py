"""Owns the evaluations of a data home: what each tries, carrying it out, keeping each result, and going on behind it.

They run within the server, which is what they ask; how they wait, stop and survive is the queue's (`jobs/queue.py`).
A server that ends leaves one where it is, and the next goes on. Refuses to know how a request is sent, and who asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from paddock.errors import Conflict, FieldInvalid, PaddockError, StoreUnusable
from paddock.evaluation import tool_cases
from paddock.evaluation.asking import Asker, Send
from paddock.evaluation.items import Item
from paddock.evaluation.own_sets import OwnSets
from paddock.evaluation.report import Result, compared, report_of
from paddock.evaluation.sets import items_of, pocket_items, prompts_of
from paddock.evaluation.spec import EvaluationSpec, as_table, digest_of, spec_of
from paddock.evaluation.subject import Subject
from paddock.evaluation.trying import Trier, told
from paddock.evaluation.votes import PLACES, Votes, answer_of, pairs_of
from paddock.jobs.ended import Advice
from paddock.jobs.folder import JobFolder
from paddock.jobs.queue import JobQueue, Kind
from paddock.paths import Home, write_whole
from paddock.store.db import Database
from paddock.store.jobs import Job, JobStore, State
from paddock.store.pairs import PairStore
from paddock.store.scores import Score, ScoreStore
from paddock.store.sets import SetStore

_LOOKED_WITHIN_S = 1.0
_SCORED = ("tools", "pocket")
_OF_SETS = ("set", "vote")


def _figures_of(before: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest figures after these events, and the number of the last of them (`events`)."""
    figures = dict(before)
    for event in told:
        figures["events"] = event["number"]
        if event["kind"] == "result":
            figures["tried"] = figures.get("tried", 0) + 1
            figures["passed"] = figures.get("passed", 0) + bool(event["passed"])
        elif event["kind"] == "answered":
            figures["tried"] = figures.get("tried", 0) + 1
        elif event["kind"] == "done":
            figures["report"] = event["report"]
    return figures


_ADVICE = Advice(
    resume="Resume goes on behind what was answered",
    memory="nothing else of that size should run beside it",
    disk="The disk is full. Free space, and resume: what was answered is not asked again.",
)
_KIND = Kind(name="evaluation", lock=".evaluations.lock", figures_of=_figures_of, advice=_ADVICE)


class Evaluations(JobQueue):
    """The evaluations of one data home, one at a time.

    Args:
        home: where their sets lie.
        store: where they and their results are written down.
        scores: where what whole ones found is written down.
        subject: which file, template and engine stand behind a model's name. Raises PaddockError.
        votes: what people chose between the answers of two models.
        sets: sets of one's own that are kept.

    `send` sends a request to this very paddock; whoever builds it sets it before anything is begun.
    """

    def __init__(
        self,
        home: Home,
        store: JobStore,
        scores: ScoreStore,
        *,
        subject: Callable[[str], Awaitable[Subject]],
        votes: Votes,
        sets: OwnSets,
    ) -> None:
        super().__init__(home.jobs, store, _KIND, lambda: None)
        self.send: Send | None = None
        self._scores = scores
        self._subject = subject
        self._newest: dict[tuple[str, str], Score] | None = None
        self.votes = votes
        self.sets = sets

    @classmethod
    def of(cls, home: Home, database: Database, subject: Callable[[str], Awaitable[Subject]]) -> Evaluations:
        """Those of a data home and its database."""
        votes, sets = Votes(store=PairStore(database)), OwnSets(store=SetStore(database))
        return cls(home, JobStore(database), ScoreStore(database), subject=subject, votes=votes, sets=sets)

    async def start(self, given: Mapping[str, Any], rows: Sequence[Any] | None, *, anew: bool = False) -> Job:
        """Queue an evaluation, or go on with one of the same that did not come to its end.

        Args:
            given: names and values of an EvaluationSpec.
            rows: the set, where it is one's own.
            anew: whether to begin from the first try in any case.

        Raises:
            FieldInvalid, Conflict or StoreUnusable: then nothing was begun.
        """
        await self._refuse_elsewhere()
        if (given.get("suite") in _OF_SETS) != (rows is not None):
            raise FieldInvalid("The suites 'set' and 'vote' take a set, and no other suite does.", param="set")
        digest = await anyio.to_thread.run_sync(digest_of, rows) if rows is not None else ""
        spec = spec_of({**given, "set_digest": digest})
        pairs = pairs_of(prompts_of(rows or (), answer_tokens=spec.answer_tokens)) if spec.suite == "vote" else []
        items = [] if pairs else await anyio.to_thread.run_sync(_items, spec, rows)
        if not anew and (before := await self._unfinished(spec)) is not None:
            return before if before.is_live else await self.resume(before.id)
        # None is begun before its set lies in its folder.
        async with self._turning:
            of = len(items) + len(PLACES) * len(pairs)
            job = await self._store.create(_KIND.name, spec.name, as_table(spec), priority=0, figures={"of": of})
            if pairs:
                await self.votes.store.lay(job.id, pairs)
            await anyio.to_thread.run_sync(_keep_set, self.folder(job.id).root, None if pairs else rows)
        self._notify()
        return job

    async def resume(self, job_id: str) -> Job:
        """Queue it again, to go on behind its last result. Raises JobUnknown, Conflict or StoreUnusable."""
        await self._refuse_elsewhere()
        await self.votes.refuse_shown(await self.find(job_id))
        return await super().resume(job_id)

    async def results(self, job_id: str) -> list[Result]:
        """What became of each try so far, in order. Raises JobUnknown or StoreUnusable."""
        await self.find(job_id)
        return [one for one in await self._all_told(job_id) if one["kind"] == "result"]

    async def against(self, before: str, after: str) -> dict[str, Any]:
        """Two of the same tries, side by side. Raises JobUnknown, Conflict or StoreUnusable."""
        one, two = await self.find(before), await self.find(after)
        if "vote" in (one.spec["suite"], two.spec["suite"]):
            raise Conflict("A vote compares two models by itself: its own report tells how.", current={})
        if (one.spec["suite"], one.spec["set_digest"]) != (two.spec["suite"], two.spec["set_digest"]):
            raise Conflict(
                f"{before} tried {one.spec['name']}, and {after} another set: only the same tries are compared.",
                current={"suites": [one.spec["suite"], two.spec["suite"]]},
            )
        results = await self.results(before), await self.results(after)
        return await anyio.to_thread.run_sync(lambda: compared(*results))

    async def scores(self) -> Mapping[tuple[str, str], Score]:
        """The newest score by suite and state of a file. Where the database cannot be used, there is none."""
        if self._newest is None:
            if not await anyio.to_thread.run_sync(lambda: any(self._folder.glob("job_*"))):
                # No database is opened to learn that nobody has evaluated anything.
                return {}
            try:
                self._newest = {(one.suite, one.file_state): one for one in await self._scores.newest()}
            except StoreUnusable:
                return {}
        return self._newest

    async def remove(self, job_id: str) -> None:
        """Remove one with its results. Raises JobUnknown, Conflict or StoreUnusable."""
        await super().remove(job_id)
        self._newest = None

    async def _all_told(self, job_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while events := await self._store.events(job_id, after=found[-1]["number"] if found else 0):
            found += events
        return found

    async def _refuse_elsewhere(self) -> None:
        """Raises Conflict where another paddock of this data home carries its evaluations out: it asks itself."""
        if not self._looked.is_set():
            # This one has begun a moment ago, or has had none yet.
            self._notify()
            with anyio.move_on_after(_LOOKED_WITHIN_S):
                await self._looked.wait()
        if self._is_elsewhere:
            raise Conflict(
                "Another paddock of this data home carries its evaluations out. Ask that one, by its address, or wait.",
                current={"pid": self._ownership.holder().get("pid")},
            )

    async def _unfinished(self, spec: EvaluationSpec) -> Job | None:
        asked = as_table(replace(spec, name=""))
        for job in await self.listed():
            # Those of an older paddock do not tell what it did not know.
            if {"against": "", **job.spec, "name": ""} == asked:
                # Only the newest of the same is of interest: behind one that is whole begins another.
                return None if job.state == "done" or await self.votes.is_shown(job) else job
        return None

    async def _carried_out(self, job: Job, folder: JobFolder) -> tuple[State, Mapping[str, str] | None]:
        spec = spec_of(job.spec)
        job = await self._begun(job)
        is_vote = spec.suite == "vote"
        items = [] if is_vote else await anyio.to_thread.run_sync(lambda: _items(spec, _kept_set(folder.root)))
        subject = await self._subject(spec.model)
        figures: dict[str, Any] = {"subject": subject.as_table()}
        if spec.against:
            figures["against"] = (await self._subject(spec.against)).as_table()
        for name, now in figures.items():
            if job.figures.get(name, now) != now:
                return "failed", {
                    "kind": "changed",
                    "message": f"The file, template or engine of '{now['model']}' is another one than that which "
                    "answered until now, and results of two are not mixed. Begin anew.",
                }
        # What was killed or cancelled may have kept a result that its figures do not tell.
        told_before = await self._all_told(job.id)
        figures = _figures_of({**figures, "of": len(items), "tried": 0, "passed": 0}, told_before)
        if is_vote:
            figures |= await self.votes.answered(job.id)
        job = await self._set(job.id, figures=figures)
        ended: State = "cancelled"
        fault: PaddockError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancelled, folder, tasks.cancel_scope)
            try:
                ended = await (self._answered(job, folder, spec) if is_vote else self._tried(job, folder, spec, items))
            except PaddockError as error:
                fault = error
            tasks.cancel_scope.cancel()
        if fault is not None:
            raise fault
        if ended == "done" and not is_vote:
            await self._concluded(await self.find(job.id), spec, subject)
        return ended, None

    async def _tried(self, job: Job, folder: JobFolder, spec: EvaluationSpec, items: Sequence[Item]) -> State:
        """Try what was not tried yet, each result kept before the next begins. Raises PaddockError."""
        assert self.send is not None
        trier = Trier(
            asker=Asker(send=self.send, model=spec.model),
            judge=Asker(send=self.send, model=spec.judge) if spec.judge else None,
        )
        results = await self.results(job.id)
        has = {(one["case"], one["name"]) for one in results}
        number = int(job.figures.get("events", 0))
        for item in items:
            if (item.case, item.name) in has:
                continue
            if await anyio.to_thread.run_sync(folder.wish) == "save":
                return "stopped"
            verdict = await trier.tried(item)
            number += 1
            job = await self._told(job, {"number": number, "kind": "result", **told(item, verdict)})
        return "done"

    async def _answered(self, job: Job, folder: JobFolder, spec: EvaluationSpec) -> State:
        """Have one model answer, then the other, each answer kept before the next is asked. Raises PaddockError."""
        assert self.send is not None
        number = int(job.figures.get("events", 0))
        for place, model in zip(PLACES, (spec.model, spec.against), strict=True):
            asker = Asker(send=self.send, model=model)
            for pair in await self.votes.store.of(job.id):
                if (pair.first if place == "first" else pair.second) is not None:
                    continue
                if await anyio.to_thread.run_sync(folder.wish) == "save":
                    return "stopped"
                answer = answer_of(await asker.chat(pair.asked))
                await self.votes.store.answered(job.id, pair.number, place, answer)
                number += 1
                job = await self._told(job, {"number": number, "kind": "answered", "name": pair.name})
        return "done"

    async def _concluded(self, job: Job, spec: EvaluationSpec, subject: Subject) -> None:
        results = await self.results(job.id)
        report = await anyio.to_thread.run_sync(report_of, results)
        number = int(job.figures.get("events", 0)) + 1
        await self._told(job, {"number": number, "kind": "done", "report": report})
        if spec.suite in _SCORED:
            total = report["total"]
            await self._scores.put(
                Score(
                    job_id=job.id, suite=spec.suite, model=spec.model, file_digest=subject.file_digest,
                    file_state=subject.file_state, template_digest=subject.template_digest, engine=subject.engine,
                    passed=total["passed"], tries=total["of"], at_s=time.time(),
                )
            )  # fmt: skip
            self._newest = None

    async def _told(self, job: Job, event: Mapping[str, Any]) -> Job:
        """Keep an event, and the figures that come of it."""
        event = {**event, "at_s": round(time.time(), 3)}
        await self._store.keep(job.id, [event])
        return await self._set(job.id, figures=_figures_of(job.figures, [event]))


def _items(spec: EvaluationSpec, rows: Sequence[Any] | None) -> list[Item]:
    """Raises FieldInvalid."""
    if spec.suite == "tools":
        return tool_cases.items(spec.answer_tokens)
    if spec.suite == "pocket":
        return list(pocket_items())
    if rows is None:
        raise FieldInvalid("The set of this evaluation is gone. Begin anew with its file.", param="set")
    return items_of(rows, answer_tokens=spec.answer_tokens, has_judge=bool(spec.judge))


def _keep_set(folder: Path, rows: Sequence[Any] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        write_whole(folder / "set.json", json.dumps(list(rows)))


def _kept_set(folder: Path) -> list[Any] | None:
    try:
        return json.loads((folder / "set.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PaddockError(f"The set of this evaluation cannot be read ({error}). Begin anew.") from error
