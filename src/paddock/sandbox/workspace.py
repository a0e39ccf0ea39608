"""Owns one chat's workspace: cells of Python in an interpreter that lives on, commands, and the files that they leave.

What is run comes from a model, and so from whoever wrote what that read: it gets the workspace's files and nothing else
of this machine (docs/sandbox.md says what that covers, and what not). Refuses to know what a model or a chat is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from paddock.sandbox import files, watching
from paddock.sandbox.box import Box, Limits, OnOutput
from paddock.sandbox.cells import Answer, Asking, Interpreter
from paddock.sandbox.files import File
from paddock.sandbox.output import Output, cleaned
from paddock.sandbox.pythons import Python
from paddock.sandbox.walls import Kind, Place, free_user, kind_here

# What a cell gets to end by itself when its time is over, so that the interpreter keeps what it has.
_INTERRUPT_S = 0.5
_END_S = 2.0
_SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
_FILES_MOST = 50
_ENTRIES_MOST = 40_000
_BEGUN_ANEW = "The interpreter was begun anew: what earlier cells had defined is gone, the files are there."
_LOST = "What cells had defined is gone, the files are there; the next cell has a new interpreter."

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a call.

    Attributes:
        text: what it said, cleaned, cut where that was too much; for a cell that raised, its traceback at the end.
        note: what went otherwise than asked, in sentences; "" where nothing did.
        files: what it made or changed, the last first.
        exit: 0 where all went well; a command's status, or 1 for a cell that raised; None where it was ended from here.
        is_state_lost: whether what earlier cells had defined is gone.
    """

    text: str
    note: str
    files: tuple[File, ...]
    exit: int | None
    duration_s: float
    is_cut: bool
    is_state_lost: bool


@dataclass(kw_only=True)
class _Told:
    """What becomes a result."""

    output: Output
    before: files.Look
    error: str = ""
    exit: int | None = None
    duration_s: float = 0.0
    is_cut: bool = False
    is_lost: bool = False
    notes: list[str] = field(default_factory=list[str])
    files: list[File] = field(default_factory=list[File])

    def result(self) -> Result:
        between = "\n" if self.error and self.output.text and not self.output.text.endswith("\n") else ""
        return Result(
            text=f"{self.output.text}{between}{cleaned(self.error)}",
            note=" ".join(self.notes),
            files=(*self.files,),
            exit=self.exit,
            duration_s=self.duration_s,
            is_cut=self.is_cut,
            is_state_lost=self.is_lost,
        )


class Session:
    """A workspace that is used, by one chat. Calls of `python` take turns; commands run beside them.

    Args:
        folder: the workspace's own folder, whose `files` is what its programs see; nobody else writes elsewhere in it.
        python: the interpreter, as `pythons.best` finds it.
        limits: what each interpreter and each command may take.
        hidden: folders that its programs must not see: the data home, whatever holds keys.
        has_network: whether they reach whatever this machine reaches, paddock itself included.
        is_unsafe: run without walls, as paddock's own user.
    """

    def __init__(
        self,
        folder: Path,
        python: Python,
        *,
        limits: Limits | None = None,
        hidden: tuple[Path, ...] = (),
        has_network: bool = False,
        is_unsafe: bool = False,
    ) -> None:
        self._kind: Kind = "none" if is_unsafe else kind_here()
        self._limits = limits or Limits()
        self._place = Place(
            folder=folder,
            python=python,
            hidden=(*hidden, folder.parent),
            has_network=has_network,
            user=free_user() if self._kind == "bubblewrap" else None,
        )
        self._turn = anyio.Lock()
        self._interpreter: Interpreter | None = None
        self._commands: dict[Box, anyio.Event] = {}
        # Lost by a call that could not say so any more.
        self._is_lost = False
        self._is_closed = False

    @property
    def folder(self) -> Path:
        """Where the workspace's files lie on this machine; its programs may change them at any moment."""
        return self._place.files

    async def python(self, code: str, *, timeout_s: float, on_output: OnOutput | None = None) -> Result:
        """Run a cell. What it defines is there in the next, unless the interpreter had to be ended.

        Cancelled, everything inside is ended. Raises OSError where no process can be started, or the disk refuses.
        """
        async with self._turn, self._looked() as told:
            if self._interpreter and self._interpreter.box.has_ended:
                await self._end_interpreter()
                self._is_lost = True
            if self._is_lost:
                told.notes.append(_BEGUN_ANEW)
                told.is_lost, self._is_lost = True, False
            if self._interpreter is None:
                self._interpreter = await Interpreter.opened(self._kind, self._place, self._limits)
            is_kept = False
            try:
                is_kept = await self._cell(self._interpreter, code, timeout_s, on_output, told)
            finally:
                # A cell that was left, by a cancelled call as by a fault, must not go on.
                if not is_kept:
                    self._is_lost = True
                    await self._end_interpreter()
            if not is_kept:
                told.notes.append(_LOST)
                told.is_lost, self._is_lost = True, False
        return told.result()

    async def terminal(self, command: str, *, timeout_s: float, on_output: OnOutput | None = None) -> Result:
        """Run a command of the shell, in the workspace; all that it started ends with it.

        Cancelled, everything inside is ended. Raises OSError where no process can be started, or the disk refuses.
        """
        async with self._looked() as told:
            order = {"command": [_SHELL, "-c", command]}
            box = await Box.opened(self._kind, self._place, self._limits, order)
            self._commands[box] = anyio.Event()
            try:
                with anyio.move_on_after(timeout_s) as scope:
                    await _attended(box, told, on_output, box.process.wait)
                if scope.cancelled_caught and not box.has_ended:
                    told.notes.append(f"It took more than {timeout_s:g} seconds and was ended.")
                elif box.excess:
                    told.notes.append(f"{box.excess} It was ended.")
                elif not box.has_walls:
                    told.notes.append("The walls around it could not be built, and nothing was run.")
                else:
                    told.exit = box.process.returncode
                box.rest(told.output, on_output)
            finally:
                await box.end()
                self._commands.pop(box).set()
        return told.result()

    async def read(self, name: str, *, most_bytes: int) -> bytes:
        """A file that a call left, as it is now, through no link. Raises OSError, where it is too long too."""
        return await anyio.to_thread.run_sync(lambda: files.read(self.folder, name, most_bytes=most_bytes))

    async def close(self, *, is_removed: bool = False) -> None:
        """End everything inside, and take away what is temporary; all files too, where it is to be removed."""
        self._is_closed = True
        with anyio.CancelScope(shield=True):
            for box in (*self._commands, *([self._interpreter.box] if self._interpreter else [])):
                box.kill()
            with anyio.move_on_after(_END_S):
                async with self._turn:
                    await self._end_interpreter()
                for ended in [*self._commands.values()]:
                    await ended.wait()
            await self._end_interpreter()
            folder = self._place.folder
            for gone in [folder] if is_removed else [folder / name for name in ("tmp", "shared", "etc")]:
                with contextlib.suppress(OSError):
                    await anyio.to_thread.run_sync(files.remove, gone)

    @asynccontextmanager
    async def _looked(self) -> AsyncGenerator[_Told]:
        """A call: the workspace looked at before and after it."""
        if self._is_closed:
            raise OSError("This workspace is closed.")
        began_s = anyio.current_time()
        before, all_before = await anyio.to_thread.run_sync(self._prepared)
        told = _Told(output=Output(self._limits.output_bytes), before=all_before)
        yield told
        after, told.files = await anyio.to_thread.run_sync(self._changed, before)
        told.is_cut |= told.output.is_cut
        if told.is_cut:
            told.notes.append(f"Its output was cut after {self._limits.output_bytes // 1024} KiB.")
        if after.deep:
            told.notes.append("Folders that lay too deep were taken away.")
        if after.others > before.others:
            told.notes.append(
                f"{after.others - before.others} of what it made is not handed on: a link, a pipe, a socket, a file of "
                "several names, or a name that cannot be told."
            )
        told.duration_s = anyio.current_time() - began_s

    def _prepared(self) -> tuple[files.Look, files.Look]:
        """What lies in the workspace, and what all that can be written takes."""
        self._place.make()
        found = self._look()
        return found, watching.taken(self._place.writable, entries_most=_ENTRIES_MOST)

    def _changed(self, before: files.Look) -> tuple[files.Look, list[File]]:
        after = self._look()
        for name in after.deep:
            # Nothing else would count what is in there.
            with contextlib.suppress(OSError):
                files.remove_within(self.folder, name)
        return after, files.changed(self.folder, before, after, most=_FILES_MOST)

    def _look(self) -> files.Look:
        # What paddock puts there is to be the workspace's own too.
        return files.look(self.folder, entries_most=_ENTRIES_MOST, owner=self._place.user)

    async def _end_interpreter(self) -> None:
        if self._interpreter is not None:
            gone, self._interpreter = self._interpreter, None
            await gone.close()

    async def _cell(
        self, interpreter: Interpreter, code: str, timeout_s: float, on_output: OnOutput | None, told: _Told
    ) -> bool:
        """Run one cell, and have the interpreter rest afterwards; false where it cannot go on."""
        box = interpreter.box
        asking = interpreter.ask(code, output_bytes=self._limits.output_bytes)

        async def answered() -> Answer | None:
            with anyio.move_on_after(timeout_s):
                return await interpreter.answer(asking)
            told.notes.append(f"It took more than {timeout_s:g} seconds and was stopped.")
            return await _interrupted(interpreter, asking)

        answer = await _attended(box, told, on_output, answered)
        is_kept = answer is not None and await interpreter.rest()
        box.rest(told.output, on_output)
        if answer is not None:
            told.error = answer.error
            told.is_cut = answer.dropped_bytes > 0
        if box.excess:
            told.notes.append(f"{box.excess} It was ended.")
        elif interpreter.is_deceiving:
            told.notes.append("It wrote over the interpreter's own answers, and was ended.")
        elif answer is not None and not is_kept:
            told.notes.append("What it had started could not be ended without it.")
        elif answer is None and not told.notes:
            told.notes.append("The interpreter ended: the code ended it, or it took too much.")
        if is_kept:
            told.exit = 1 if told.error else 0
        return is_kept


async def _interrupted(interpreter: Interpreter, asking: Asking) -> Answer | None:
    """The answer to a cell that was told to stop; None where it does not."""
    interpreter.interrupt()
    with anyio.move_on_after(_INTERRUPT_S):
        return await interpreter.answer(asking)
    return None


async def _attended(box: Box, told: _Told, on_output: OnOutput | None, work: Callable[[], Awaitable[_T]]) -> _T:
    """What the work gives, while the box is listened to and watched."""
    found: list[_T] = []
    async with anyio.create_task_group() as group:
        group.start_soon(box.listen, told.output, on_output)
        group.start_soon(box.watch, told.before)
        found.append(await work())
        group.cancel_scope.cancel()
    return found[0]
