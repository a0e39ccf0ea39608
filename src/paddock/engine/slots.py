"""Owns having engines save what their slots hold before they go, and take it up again; refuses to decide when they go.

Nothing here fails a request or a stop: what cannot be saved or restored within its time is left out, with one line in
the log, and read anew by the next request. Why so: `docs/adr/0023-slots-across-swaps.md`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from logging import INFO, WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from paddock.engine.flags import EngineFlags
from paddock.engine.plan import EnginePlan
from paddock.engine.process import Endpoint
from paddock.engine.slot_files import SlotFiles, can_keep, identity_now
from paddock.errors import EngineError, EngineRefused, EngineUnreachable
from paddock.log import named

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_log = named(__name__)
_UNABLE = HTTPStatus.NOT_IMPLEMENTED
SAVE_MOST_S = 3.0
"""All slots of an engine together. Its memory is needed by somebody who waits; disks take a gigabyte in that time."""
RESTORE_MOST_S = 10.0
"""All slots of an engine together. To read a file from a slow disk still is quicker than to read its prompt anew."""
ASK_MOST_S = 1.0
"""To say what it holds takes an engine the rest of the batch it computes: one that is busy for longer is left alone."""
LEAST_TOKENS = 128
"""What the engine reads in one go as paddock starts it; to write and read a file is no quicker than that."""


class Slots:
    """Saved slots, as the pool sees them: for each engine that it starts, what recalls its conversations."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._files = SlotFiles(folder, most_bytes=most_bytes)
        self._most_bytes = most_bytes

    async def tidy(self) -> None:
        """Remove what a killed paddock left and what nobody will take up; where nothing is to be kept, everything."""

        def tidied() -> None:
            if self._most_bytes or self._files.folder.is_dir():
                self._files.ensure()
                self._files.tidy()

        try:
            await anyio.to_thread.run_sync(tidied)
        except OSError as error:
            _log.warning("the saved slots cannot be tidied: %s", error.strerror)

    def recall_of(
        self, plan: EnginePlan, program: Sequence[str], connect: Callable[[], Awaitable[EngineClient]]
    ) -> SlotRecall | None:
        """What recalls the conversations of an engine; None where nothing is kept for it."""
        if not self._most_bytes or not can_keep(plan.flags):
            return None
        return SlotRecall(self._files, plan, program, connect)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One slot as its engine tells it. `tokens` is None where the engine does not say; `is_fresh`: nobody used it."""

    number: int
    tokens: int | None
    is_busy: bool
    is_fresh: bool


def slots_in(said: object) -> list[Slot]:
    """The slots in an engine's answer to `/slots`, the last used first; what is no slot is left out. Pure."""
    found: list[tuple[int, Slot]] = []
    for one in cast("list[object]", said) if isinstance(said, list) else []:
        told = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
        if not isinstance(number := told.get("id"), int):
            continue
        task, tokens = told.get("id_task"), told.get("n_prompt_tokens")
        last = task if isinstance(task, int) else -1
        held = tokens if isinstance(tokens, int) else None
        busy = told.get("is_processing") is not False
        found.append((last, Slot(number=number, tokens=held, is_busy=busy, is_fresh=last < 0 and held is None)))
    return [slot for _, slot in sorted(found, key=lambda one: one[0], reverse=True)]


class SlotRecall:
    """The conversations of one engine, over the processes that it has. Called by the engine's owner alone."""

    def __init__(
        self,
        files: SlotFiles,
        plan: EnginePlan,
        program: Sequence[str],
        connect: Callable[[], Awaitable[EngineClient]],
    ) -> None:
        self.flags: EngineFlags = replace(plan.flags, slot_save_path=str(files.folder))
        self._files = files
        self._program = program
        self._connect = connect
        self._slot_count = plan.flags.slots
        self._token_bytes = plan.kv_bytes / max(1, plan.flags.context_tokens)
        self._identity: str | None = None
        # By slot: the files of which this engine has what they hold, and those that it is writing.
        self._restored: dict[int, str] = {}
        self._drafts: list[str] = []

    async def starts(self) -> None:
        """The process is about to be started: its files are looked at, and the folder is made."""
        self._identity = await self._identity_now()

    async def ready(self, endpoint: Endpoint) -> bool:
        """The process listens, and nobody has asked it anything: it takes up what was saved for one like it.

        Returns whether it still answers.
        """
        names: list[str] = []
        with anyio.move_on_after(RESTORE_MOST_S):
            if not (identity := await self._same_identity()):
                return True
            names = await anyio.to_thread.run_sync(lambda: self._files.good_for(identity, most=self._slot_count))
            if not names:
                return True
            try:
                client = await self._connect()
            except EngineError:
                # Paddock is stopping, which says nothing of the files.
                return True
            for slot, name in enumerate(names):
                if not await self._restore(client, endpoint, slot, name):
                    return False
            return True
        late = [name for name in names if name not in self._restored.values()]
        await anyio.to_thread.run_sync(lambda: self._files.remove(*late))
        self._say("were not restored within %g s", RESTORE_MOST_S)
        return True

    async def stops(self, endpoint: Endpoint) -> None:
        """The process is about to be ended: it saves what is worth it, as far as the time reaches."""
        with anyio.move_on_after(SAVE_MOST_S):
            if not (identity := await self._same_identity()):
                return
            try:
                with anyio.fail_after(ASK_MOST_S):
                    slots = slots_in(await (await self._connect()).ask(endpoint, "/slots"))
            except (EngineError, TimeoutError):
                return
            for slot in slots:
                await self._save(endpoint, slot, identity)
            return
        self._say("were not saved within %g s", SAVE_MOST_S)

    async def ended(self, *, crashed: bool) -> None:
        """The process is gone. What a crashed one had restored may be why: that is not tried again."""
        doubtful = [*self._drafts, *(self._restored.values() if crashed else ())]
        self._drafts.clear()
        self._restored.clear()
        if doubtful:
            await anyio.to_thread.run_sync(lambda: self._files.remove(*doubtful))

    async def _restore(self, client: EngineClient, endpoint: Endpoint, slot: int, name: str) -> bool:
        """Have one slot take up a file; one that the engine does not take is removed. False if the engine was lost."""
        try:
            await client.ask(endpoint, f"/slots/{slot}?action=restore", {"filename": name})
            self._restored[slot] = name
            await anyio.to_thread.run_sync(self._files.touch, name)
        except EngineError as error:
            await anyio.to_thread.run_sync(self._files.remove, name)
            self._say("could not be restored: %s", error.message)
            return not isinstance(error, EngineUnreachable)
        return True

    async def _save(self, endpoint: Endpoint, slot: Slot, identity: str) -> None:
        """Have one slot saved, in place of what it was restored from."""
        before = self._restored.get(slot.number)
        if slot.is_busy or slot.is_fresh:
            if before and slot.is_fresh:
                await anyio.to_thread.run_sync(self._files.touch, before)
            return
        if slot.tokens is not None and slot.tokens < LEAST_TOKENS:
            return
        need_bytes = int((slot.tokens or 0) * self._token_bytes)
        draft = self._files.draft()
        self._drafts.append(draft)
        try:
            if not await anyio.to_thread.run_sync(self._files.tidy, need_bytes):
                self._say("need %d bytes, which is more than may be kept", need_bytes)
                return
            said = await (await self._connect()).ask(endpoint, f"/slots/{slot.number}?action=save", {"filename": draft})
            if said["n_saved"] < LEAST_TOKENS:
                return
            size_bytes = int(said["n_written"])
            await anyio.to_thread.run_sync(lambda: self._files.keep(draft, identity, size_bytes=size_bytes))
            if before:
                await anyio.to_thread.run_sync(self._files.remove, before)
            await anyio.to_thread.run_sync(self._files.tidy)
        except EngineRefused as error:
            # A build that cannot do it at all is no news at every unload.
            self._say("could not be saved: %s", error.message, level=INFO if error.status == _UNABLE else WARNING)
        except (EngineError, OSError, KeyError, TypeError, ValueError) as error:
            self._say("could not be saved: %s", getattr(error, "message", str(error)))

    async def _same_identity(self) -> str | None:
        """The identity, if the files still are those that the process was started with."""
        return self._identity if self._identity and await self._identity_now() == self._identity else None

    async def _identity_now(self) -> str | None:
        def looked() -> str:
            self._files.ensure()
            return identity_now(self.flags, self._program)

        try:
            # A disk elsewhere that does not answer must not hold an engine up.
            return await anyio.to_thread.run_sync(looked, abandon_on_cancel=True)
        except (OSError, ImportError) as error:
            self._say("are not kept: %s", error)
            return None

    def _say(self, words: str, *values: object, level: int = WARNING) -> None:
        _log.log(level, f"conversations of %s {words}", self.flags.alias, *values)
