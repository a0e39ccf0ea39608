"""Owns the queue of downloads: which runs when, what a wish for one changes, and that a restart loses none.

Refuses to know how bytes come (`hub_process`), and who asks. What is wished is on the disk before it is done: a paddock
that is killed in between finds it at its next start. One paddock at a time works on the downloads of a data home.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.errors import BadRequest, DownloadsElsewhere, DownloadUnknown, HomeUnusable, PaddockError
from paddock.models.download_states import (
    AT_REST,
    UNFINISHED,
    Download,
    Event,
    State,
    forget_state,
    read_states,
    write_state,
)
from paddock.models.hub_cache import check_space
from paddock.models.hub_choice import Listing, Plan, choose, parse_spec
from paddock.models.hub_process import HubProcess
from paddock.models.hub_search import Found
from paddock.ownership import Ownership
from paddock.paths import Home

_log = logging.getLogger(__name__)
# Over so long a rate is measured, so that it neither jumps nor remembers what has long changed.
_RATE_OVER_S = 10.0
# A download that moves on is written down at least this often.
_KEEP_EVERY_S = 5.0


class Downloads:
    """Every download of one data home.

    Args:
        home: where their states are kept.
        tasks: where they run.
        hub: who fetches.
        most_at_once: how many run at once; the others wait in the order in which they came.
    """

    def __init__(self, home: Home, tasks: TaskGroup, hub: HubProcess, *, most_at_once: int) -> None:
        self._folder = home.downloads
        self._tasks = tasks
        self._hub = hub
        self._most_at_once = most_at_once
        self._ownership = Ownership(home.downloads / ".owner.lock")
        # Owned, and all of them known: between the two the files on the disk say what there is.
        self._is_ours = False
        self._known: dict[str, Download] = {}
        self._running: dict[str, _Running] = {}
        self._changed = anyio.Event()
        self._deciding = anyio.Lock()
        self._writing = anyio.Lock()
        self._sweeping = anyio.CancelScope()
        self._is_closed = False

    async def restore(self) -> None:
        """Go on with what an earlier paddock left, unless another one works on it."""
        try:
            await self._own()
        except DownloadsElsewhere:
            return
        except (HomeUnusable, OSError) as error:
            _log.warning("downloads are not restored: %s", error)

    async def close(self) -> None:
        """End what runs; it goes on at the next start."""
        self._is_closed = True
        self._sweeping.cancel()
        for download_id in [*self._running]:
            await self._end_work(download_id)
        async with self._deciding:
            self._is_ours = False
            self._ownership.release()

    async def listed(self) -> list[Download]:
        """Every download, the oldest first."""
        if not self._is_ours:
            return await anyio.to_thread.run_sync(lambda: list(read_states(self._folder)))
        return list(self._known.values())

    async def find(self, download_id: str) -> Download:
        """The download of that id. Raises DownloadUnknown."""
        found = next((one for one in await self.listed() if one.id == download_id), None)
        if found is None:
            raise DownloadUnknown(download_id)
        return found

    async def files_of(self, repo: str) -> Listing:
        """What a repository holds. Raises BadRequest or HubUnavailable."""
        return await self._hub.files_of(repo)

    async def search(self, words: str, *, most: int) -> list[Found]:
        """The repositories that the hub finds for these words. Raises HubUnavailable."""
        return await self._hub.search(words, most=most)

    async def headers(self, model: str, folder: Path) -> tuple[str, list[Path], Path | None]:
        """What a model on the hub says of itself, as `HubProcess.headers` does."""
        return await self._hub.headers(model, folder)

    @property
    def cache(self) -> Path:
        """The folder into which models are fetched."""
        return self._hub.cache

    async def start(self, asked: str) -> Download:
        """Fetch a model, or go on with the download of it that there is already.

        Args:
            asked: `ORG/REPO` or `ORG/REPO:QUANT`.

        Raises:
            BadRequest: it cannot be read, or names several models.
            HubUnavailable: the hub cannot be reached, refuses, or lacks the model.
            DiskTooFull: the disk cannot hold it.
            DownloadsElsewhere: another paddock works on the downloads of this data home.
        """
        await self._own()
        spec = parse_spec(asked)
        listing = await self._hub.files_of(spec.repo)
        spec = parse_spec(listing.repo + (f":{spec.quant}" if spec.quant else ""))
        plan = Plan(spec=spec, revision=listing.revision, choice=choose(spec, listing.files))
        async with self._deciding:
            same = next((one for one in self._known.values() if one.model == plan.id and one.state in UNFINISHED), None)
            if same is not None:
                if same.state in ("paused", "failed"):
                    same = await self._keep(same.then(_now_ms(), "queued"))
            else:
                await anyio.to_thread.run_sync(self._check_space, plan)
                same = Download(
                    id=f"dl_{secrets.token_hex(8)}",
                    model=plan.id,
                    revision=plan.revision,
                    files=plan.files,
                    created_s=int(time.time()),
                ).then(_now_ms(), "queued")
                await self._keep(same)
        self._start_next()
        return self._known[same.id]

    async def pause(self, download_id: str) -> Download:
        """Stop a download and keep what came. Raises DownloadUnknown, BadRequest or DownloadsElsewhere."""
        return await self._stop(download_id, "paused", allowed=("queued", "running", "paused"))

    async def resume(self, download_id: str) -> Download:
        """Go on with a paused or failed download. Raises DownloadUnknown, BadRequest or DownloadsElsewhere."""
        await self._own()
        async with self._deciding:
            download = await self.find(download_id)
            if download.state in ("paused", "failed"):
                await self._keep(download.then(_now_ms(), "queued"))
            elif download.state not in ("queued", "running"):
                raise BadRequest(f"'{download.model}' is {download.state}. Ask for it anew to fetch it again.")
        self._start_next()
        return self._known[download_id]

    async def cancel(self, download_id: str) -> Download:
        """End a download for good and take away what came. Raises as `pause` does, or HomeUnusable."""
        await self._stop(download_id, "cancelled", allowed=(*UNFINISHED, "cancelled"))
        await self._sweep(download_id)
        return self._known[download_id]

    async def forget(self, download_id: str) -> None:
        """Take a download off the list; one that is not finished is cancelled first. The model stays. Raises so."""
        await self._own()
        if (await self.find(download_id)).state in UNFINISHED:
            await self.cancel(download_id)
        self._known.pop(download_id, None)
        async with self._writing:
            await anyio.to_thread.run_sync(forget_state, self._folder, download_id)
        self._tell()

    async def events(self, download_id: str, after: int) -> AsyncGenerator[Event]:
        """What happened after the event of that number, and what happens, until the download is at rest or forgotten.

        Raises:
            DownloadUnknown: before the first event.
        """
        download: Download | None = await self.find(download_id)
        while download is not None:
            changed = self._changed
            for event in download.events:
                if event.number > after:
                    after = event.number
                    yield event
            if download.state in AT_REST or not self._is_ours:
                return
            await changed.wait()
            download = self._known.get(download_id)

    async def _own(self) -> None:
        """Be the one who works on the downloads, and know them. Raises DownloadsElsewhere."""
        async with self._deciding:
            if self._is_ours or self._is_closed:
                return
            if not self._ownership.is_held and not await anyio.to_thread.run_sync(self._ownership.take):
                raise DownloadsElsewhere
            for download in await anyio.to_thread.run_sync(lambda: list(read_states(self._folder))):
                # What ran when the last paddock ended waits its turn again.
                waits = download.state == "running"
                self._known[download.id] = download.then(_now_ms(), "queued") if waits else download
            self._is_ours = True
        self._tasks.start_soon(self._sweep_all)
        self._start_next()

    async def _stop(self, download_id: str, state: State, *, allowed: tuple[State, ...]) -> Download:
        await self._own()
        async with self._deciding:
            download = await self.find(download_id)
            if download.state not in allowed:
                raise BadRequest(f"'{download.model}' is {download.state}, so it cannot be {state}.")
            try:
                if download.state != state:
                    await self._keep(download.then(_now_ms(), state))
            finally:
                # Also where the wish cannot be written down: a full disk is one of the reasons to stop.
                await self._end_work(download_id)
        self._start_next()
        return self._known[download_id]

    async def _end_work(self, download_id: str) -> None:
        running = self._running.get(download_id)
        if running is not None:
            running.scope.cancel()
            await running.ended.wait()

    def _start_next(self) -> None:
        for download in self._known.values():
            if len(self._running) >= self._most_at_once or self._is_closed:
                return
            if download.state == "queued" and download.id not in self._running:
                running = self._running[download.id] = _Running()
                self._tasks.start_soon(self._run, download.id, running)

    async def _run(self, download_id: str, running: _Running) -> None:
        try:
            with running.scope:
                await self._fetch(download_id)
        except PaddockError as error:
            await self._end(download_id, "failed", (type(error).__name__, error.message))
        finally:
            del self._running[download_id]
            running.ended.set()
        self._start_next()

    async def _fetch(self, download_id: str) -> None:
        download = self._known[download_id]
        if download.state != "queued":
            return
        await self._note(download.then(_now_ms(), "running"))
        spoken_for_bytes = sum(one.left_bytes for one in self._others(download_id) if one.id in self._running)
        rate, kept_s = _Rate(), time.monotonic()
        fetch = self._hub.fetch(download.model, download.revision, spoken_for_bytes=spoken_for_bytes)
        async with aclosing(fetch) as progress:
            async for done_bytes, _ in progress:
                before, now_s = self._known[download_id], time.monotonic()
                if before.state != "running":
                    return
                after = before.then(
                    _now_ms(), "running", done_bytes=done_bytes, bytes_per_s=rate.after(now_s, done_bytes)
                )
                self._known[download_id] = after
                self._tell()
                if len(after.events) > len(before.events) or now_s - kept_s > _KEEP_EVERY_S:
                    kept_s = now_s
                    await self._note(after)
        await self._end(download_id, "done")

    async def _end(self, download_id: str, state: State, error: tuple[str, str] | None = None) -> None:
        """Note how a download ended, unless it was paused, cancelled or forgotten in that moment."""
        with anyio.CancelScope(shield=True):
            download = self._known.get(download_id)
            if download is not None and download.state == "running":
                done_bytes = download.size_bytes if state == "done" else None
                await self._note(download.then(_now_ms(), state, done_bytes=done_bytes, error=error))

    async def _sweep(self, download_id: str) -> None:
        """Take away what a cancelled download had fetched, once."""
        download = self._known.get(download_id)
        if download is None or download.is_swept:
            return
        if not any(one.model == download.model for one in self._others(download_id)):
            await self._hub.abandon(download.plan)
        if download_id in self._known:
            await self._keep(download.swept())

    async def _sweep_all(self) -> None:
        """Take away what an earlier paddock was killed over taking away."""
        with self._sweeping:
            for download in [*self._known.values()]:
                if download.state == "cancelled":
                    try:
                        await self._sweep(download.id)
                    except PaddockError as error:
                        _log.warning("what '%s' left is not taken away: %s", download.model, error)

    def _others(self, download_id: str) -> list[Download]:
        """The downloads beside this one that have yet to write something."""
        return [one for one in self._known.values() if one.id != download_id and one.state in ("queued", "running")]

    def _check_space(self, plan: Plan) -> None:
        check_space(self._hub.cache, plan, spoken_for_bytes=sum(one.left_bytes for one in self._others("")))

    async def _keep(self, download: Download) -> Download:
        """Let those who watch know of a change, and write it down. Raises HomeUnusable."""
        self._known[download.id] = download
        self._tell()
        async with self._writing:
            # The newest state, in case it changed while others were writing.
            if newest := self._known.get(download.id):
                await anyio.to_thread.run_sync(write_state, self._folder, newest)
        return download

    async def _note(self, download: Download) -> None:
        """As `_keep`, for what nobody waits for: a download does not fail because its state cannot be written."""
        try:
            await self._keep(download)
        except HomeUnusable as error:
            _log.warning("%s", error)

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class _Running:
    """A download that is being worked on."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()


class _Rate:
    """How quickly bytes came lately."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def after(self, now_s: float, done_bytes: int) -> int:
        """Bytes in a second, over the last seconds."""
        self._seen = [(at_s, seen) for at_s, seen in self._seen if now_s - at_s <= _RATE_OVER_S]
        self._seen.append((now_s, done_bytes))
        first_s, first_bytes = self._seen[0]
        return int((done_bytes - first_bytes) / (now_s - first_s)) if now_s > first_s else 0


def _now_ms() -> int:
    return time.time_ns() // 10**6
