"""Owns the life of a response beyond its exchange: stored, carried on in the background, found again, cancelled."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
from starlette.types import ASGIApp

from paddock.clock import lived_s
from paddock.errors import BadRequest, ResponseUnknown, StoreUnusable
from paddock.log import named
from paddock.protocol.responses_answer import endings
from paddock.protocol.responses_object import Snapshot
from paddock.serving.runs import Run, Runs, Settled
from paddock.store.responses import UNFINISHED, ResponseStore, Stored, broken_off

_log = named(__name__)
_DAY_S = 86400.0
# What else is asked for is no id of ours, and some of it no database can look for.
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


@dataclass(frozen=True, kw_only=True)
class Work:
    """One response that is being made, and the request's own items."""

    snapshot: Snapshot
    items: list[dict[str, Any]]

    def stored(self) -> Stored:
        """Its present state, to be kept."""
        snapshot = self.snapshot
        return Stored(
            response_id=snapshot.response_id,
            created_s=float(snapshot.created_s),
            status=snapshot.status,
            previous_id=snapshot.request.get("previous_response_id"),
            body=snapshot.response(),
            items=self.items,
        )


# What is to be done when a response in the background has ended.
Then = Callable[[Work], Awaitable[None]]


class Responses:
    """Every response that can be asked for again. Whatever asks the store raises StoreUnusable."""

    def __init__(self, store: ResponseStore, runs: Runs, *, keep_days: float) -> None:
        self._untidied = store
        self._runs = runs
        self._keep_s = keep_days * _DAY_S
        self._works: dict[str, Work] = {}
        self._tidying = anyio.Lock()
        self._is_tidy = False

    async def history(self, response_id: str) -> list[dict[str, Any]]:
        """The items of a response and of those before it, oldest first. Raises ResponseUnknown or BadRequest."""
        chain = await (await self._store()).chain(_checked(response_id))
        if not chain:
            raise ResponseUnknown(response_id)
        if response_id in self._works:
            sentence = f"The response '{response_id}' is not complete yet. Wait for it, or cancel it."
            raise BadRequest(sentence, param="previous_response_id")
        return [item for stored in chain for item in (*stored.items, *stored.body.get("output", []))]

    def kept(self, exchange: ASGIApp, work: Work) -> ASGIApp:
        """The exchange, whose response is stored before its last byte goes out. A refused one is not kept.

        Where it cannot be stored its client gets it all the same, with a note.
        """

        async def keep(status: int) -> bool:
            if status != 200:
                return True
            if work.snapshot.status == "in_progress":
                work.snapshot.status = "cancelled"
            return not await self._put(work)

        return Settled(exchange, keep)

    async def begin(self, exchange: ASGIApp, work: Work, *, then: Then | None = None) -> Run:
        """Carry an exchange on without a client. Raises TooBusy or StoreUnusable.

        `then` is awaited with what became of it, before those who watch learn of its end.
        """
        response_id = work.snapshot.response_id
        work.snapshot.status = "queued"

        async def keep() -> None:
            await (await self._store()).put(work.stored())
            self._works[response_id] = work

        async def settle(run: Run) -> None:
            try:
                await self._settle(run, work)
                if then is not None:
                    await then(work)
            finally:
                del self._works[response_id]

        return await self._runs.start(response_id, exchange, keep=keep, settle=settle)

    async def find(self, response_id: str) -> dict[str, Any]:
        """The response object of that id. Raises ResponseUnknown."""
        if work := self._works.get(response_id):
            return work.snapshot.response()
        return (await self._stored(response_id)).body

    async def items(self, response_id: str) -> list[dict[str, Any]]:
        """The input items of the response's request. Raises ResponseUnknown."""
        if work := self._works.get(response_id):
            return work.items
        return (await self._stored(response_id)).items

    async def events(self, response_id: str, number: int) -> AsyncGenerator[bytes]:
        """The events after a sequence number, as they come. Raises ResponseUnknown or BadRequest."""
        if run := self._runs.find(response_id):
            return run.after(number)
        stored = await self._stored(response_id)
        if not stored.body.get("background"):
            raise BadRequest("Only a background response can be streamed again.", param="stream")
        store = await self._store()
        frames = await store.events_after(response_id, number)
        if not frames and not await store.events_after(response_id, -1):
            # paddock died before any was kept: what became of the response is told all the same.
            frames = [frame for place, frame in endings(stored.body, 0) if place > number]
        return _each(frames)

    async def cancel(self, response_id: str) -> dict[str, Any]:
        """End a background response; one that is over stays as it is. Raises ResponseUnknown or BadRequest."""
        run, work = self._runs.find(response_id), self._works.get(response_id)
        if run is not None and work is not None:
            run.cancel()
            await run.over()
            return work.snapshot.response()
        store = await self._store()
        stored = await store.get(_checked(response_id))
        if stored is None:
            raise ResponseUnknown(response_id)
        if not stored.body.get("background"):
            raise BadRequest("Only a background response can be cancelled.", param="response_id")
        if stored.status in UNFINISHED:
            # Its end could not be stored when it came.
            stored = replace(stored, status="cancelled", body={**stored.body, "status": "cancelled"})
            await store.put(stored)
        return stored.body

    async def delete(self, response_id: str) -> None:
        """Forget a response, ending it first. Raises ResponseUnknown."""
        if run := self._runs.find(response_id):
            run.cancel()
            await run.over()
        if not await (await self._store()).delete(_checked(response_id)):
            raise ResponseUnknown(response_id)

    async def _settle(self, run: Run, work: Work) -> None:
        """Decide what became of a run, and keep it."""
        snapshot = work.snapshot
        if not run.ending:
            if run.is_cancelled:
                snapshot.status = "cancelled"
            elif run.status not in (0, 200):
                error = json.loads(run.body or b"{}").get("error", {})
                usual = "invalid_prompt" if error.get("type") == "invalid_request_error" else "server_error"
                snapshot.fail(str(error.get("code") or usual), str(error.get("message") or ""))
            elif snapshot.status in UNFINISHED:
                snapshot.fail("server_error", "Something went wrong inside paddock. The log tells more.")
        number = run.frames[-1][0] + 1 if run.frames else 0
        run.ending = run.ending or endings(snapshot.response(), number)
        if reason := await self._put(work, [*run.frames, *run.ending]):
            snapshot.fail("server_error", f"The answer could not be stored. {reason}")
            run.ending = endings(snapshot.response(), number)

    async def _put(self, work: Work, frames: Sequence[tuple[int, bytes]] = ()) -> str:
        """Store a response that has ended; why that could not be done, or nothing."""
        try:
            await (await self._store()).put(work.stored(), frames)
        except StoreUnusable as error:
            _log.error("the response %s could not be stored: %s", work.snapshot.response_id, error.message)
            return error.told
        return ""

    async def _stored(self, response_id: str) -> Stored:
        stored = await (await self._store()).get(_checked(response_id))
        if stored is None:
            raise ResponseUnknown(response_id)
        # The end of one that is unfinished and has no work could not be stored when it came.
        return stored if response_id in self._works else broken_off(stored)

    async def _store(self) -> ResponseStore:
        """The store, tidied before anything is asked of it: what another process left unfinished has failed."""
        if not self._is_tidy:
            async with self._tidying:
                if not self._is_tidy:
                    await self._untidied.tidy(older_than_s=lived_s() - self._keep_s)
                    self._is_tidy = True
        return self._untidied


def _checked(response_id: str) -> str:
    if not _ID.match(response_id):
        raise ResponseUnknown(response_id)
    return response_id


async def _each(frames: list[bytes]) -> AsyncGenerator[bytes]:
    for frame in frames:
        yield frame
