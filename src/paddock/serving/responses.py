"""Owns the life of a response beyond its exchange: stored, carried on in the background, found again, cancelled."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from paddock.errors import BadRequest, ResponseUnknown
from paddock.protocol.responses_object import Snapshot
from paddock.serving.runs import Run, Runs, Settled
from paddock.store.responses import ResponseStore, Stored

_DAY_S = 86400.0


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


class Responses:
    """Every response that can be asked for again."""

    def __init__(self, store: ResponseStore, runs: Runs, *, keep_days: float) -> None:
        self._store = store
        self._runs = runs
        self._keep_s = keep_days * _DAY_S
        self._works: dict[str, Work] = {}
        self._is_tidy = False

    async def history(self, response_id: str) -> list[dict[str, Any]]:
        """The items of a response and of those before it, oldest first. Raises ResponseUnknown or BadRequest."""
        chain = await self._store.chain(response_id)
        if not chain:
            raise ResponseUnknown(response_id)
        if response_id in self._works:
            sentence = f"The response '{response_id}' is not complete yet. Wait for it, or cancel it."
            raise BadRequest(sentence, param="previous_response_id")
        return [item for stored in chain for item in (*stored.items, *stored.body.get("output", []))]

    def kept(self, exchange: ASGIApp, work: Work) -> ASGIApp:
        """The exchange, whose response is stored before its last byte goes out. A refused one is not kept."""

        async def keep(status: int) -> None:
            if status != 200:
                return
            if work.snapshot.status == "in_progress":
                work.snapshot.status = "cancelled"
            await self._put(work)

        return Settled(exchange, keep)

    async def begin(self, exchange: ASGIApp, work: Work) -> Run:
        """Carry an exchange on without a client. Raises TooBusy or StoreUnusable."""
        response_id = work.snapshot.response_id
        work.snapshot.status = "queued"
        await self._put(work)

        async def settle(run: Run) -> None:
            if run.is_cancelled:
                work.snapshot.status = "cancelled"
            elif run.status != 200:
                error = json.loads(run.body or b"{}").get("error", {})
                work.snapshot.fail(str(error.get("code") or "server_error"), str(error.get("message") or ""))
            try:
                await self._store.put(work.stored(), run.frames)
            finally:
                del self._works[response_id]

        self._works[response_id] = work
        return self._runs.start(response_id, exchange, settle)

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
        return _each(await self._store.events_after(response_id, number))

    async def cancel(self, response_id: str) -> dict[str, Any]:
        """End a background response; one that is over stays as it is. Raises ResponseUnknown or BadRequest."""
        run = self._runs.find(response_id)
        if run is None:
            body = (await self._stored(response_id)).body
            if not body.get("background"):
                raise BadRequest("Only a background response can be cancelled.", param="response_id")
            return body
        run.cancel()
        await run.over()
        return await self.find(response_id)

    async def delete(self, response_id: str) -> None:
        """Forget a response, ending it first. Raises ResponseUnknown."""
        if run := self._runs.find(response_id):
            run.cancel()
            await run.over()
        if not await self._store.delete(response_id):
            raise ResponseUnknown(response_id)

    async def _stored(self, response_id: str) -> Stored:
        stored = await self._store.get(response_id)
        if stored is None:
            raise ResponseUnknown(response_id)
        return stored

    async def _put(self, work: Work) -> None:
        if not self._is_tidy:
            self._is_tidy = True
            await self._store.tidy(older_than_s=time.time() - self._keep_s)
        await self._store.put(work.stored())


async def _each(frames: list[bytes]) -> AsyncGenerator[bytes]:
    for frame in frames:
        yield frame
