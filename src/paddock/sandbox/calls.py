"""Owns calling a stranger's Python function again and again, each call bounded; refuses to know what it is for.

A process runs the calls one after another. One that takes too long, says too much or dies costs its own call alone:
the next one gets a new process. Where there is bubblewrap, that stands around the wall that the process builds itself.
"""

from __future__ import annotations

import json
import os
import platform
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_INSIDE = str(Path(__file__).with_name("inside.py"))
_PROCESSORS = ("x86_64", "aarch64")
_BUBBLEWRAP = (
    "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--cap-drop", "ALL",
    "--new-session", "--die-with-parent", "--chdir", "/", "--",
)  # fmt: skip
# What a first process may take to begin, on a busy machine.
_BEGIN_S = 30.0
_ENDED = "Its process ended: it took too much memory, or ended itself."
_PROBE = """
import os
def reward():
    tried = (lambda: os.open("/", 0), lambda: os.fork(), lambda: os.kill(os.getppid(), 0), lambda: os.listdir("/"),
             lambda: os.pipe())
    through = []
    for number, deed in enumerate(tried):
        try:
            deed()
        except OSError:
            continue
        through.append(number)
    return through
"""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one call may take: seconds of waiting, bytes of memory, bytes of what it gives back."""

    call_s: float = 5.0
    memory_bytes: int = 2**29
    answer_bytes: int = 2**16


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a call gave, as JSON has it, or why it gave nothing."""

    value: Any = None
    error: str = ""


class Sandbox:
    """A function of a stranger's code.

    Args:
        code: Python that defines it.
        function: its name.
        limits: what each call may take.
    """

    def __init__(self, code: str, function: str, limits: Limits | None = None) -> None:
        self._order = {"code": code, "function": function}
        self._limits = limits or Limits()
        self._words = _words()

    def call(self, calls: Sequence[Sequence[Any]]) -> list[Outcome]:
        """What each call gives, by its arguments, which must be JSON. Raises OSError where no process starts."""
        found: list[Outcome] = []
        while len(found) < len(calls):
            found += self._run(calls[len(found) :])
        return found

    def _run(self, calls: Sequence[Sequence[Any]]) -> list[Outcome]:
        """What the calls give up to the first that ends the process, that one included."""
        found: list[Outcome] = []
        limits = self._limits
        # The processor's time is that of all calls; a single one is bounded by the clock.
        cpu_s = int(limits.call_s * len(calls) + _BEGIN_S)
        order = json.dumps({**self._order, "memory_bytes": limits.memory_bytes, "cpu_s": cpu_s})
        with subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, bufsize=0
        ) as process:
            try:
                talk = _Talk(process, limits)
                talk.say(order)
                if (ready := talk.heard(_BEGIN_S).decode("utf-8", "replace")) != "ready":
                    raise _Over(f"This machine does not confine it: {ready}.")
                for arguments in calls:
                    talk.say(json.dumps(arguments))
                    found.append(_outcome(talk.heard(limits.call_s)))
            except _Over as over:
                found.append(Outcome(error=str(over)))
            finally:
                process.kill()
        return found


class _Over(Exception):
    """A process says nothing more that counts."""


class _Talk:
    """Lines to and from a process, none of which may be waited for without end."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        assert process.stdin
        assert process.stdout
        self._to, self._from = process.stdin, process.stdout
        self._limits = limits
        self._rest = b""

    def say(self, line: str) -> None:
        """Raises _Over where nobody reads."""
        try:
            self._to.write(line.encode() + b"\n")
        except BrokenPipeError as error:
            raise _Over(_ENDED) from error

    def heard(self, wait_s: float) -> bytes:
        """The next line. Raises _Over where none comes in time, or too much."""
        end_s = time.monotonic() + wait_s
        while b"\n" not in self._rest and len(self._rest) <= self._limits.answer_bytes:
            if not select.select([self._from], [], [], max(0.0, end_s - time.monotonic()))[0]:
                raise _Over(f"It took more than {wait_s:g} seconds.")
            part = os.read(self._from.fileno(), self._limits.answer_bytes)
            if not part:
                raise _Over(_ENDED)
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        if len(line) > self._limits.answer_bytes:
            raise _Over(f"It gave more than {self._limits.answer_bytes} bytes.")
        return line


def _outcome(line: bytes) -> Outcome:
    try:
        said: object = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return Outcome(error="It wrote over its own answer.")
    told = cast("dict[str, Any]", said)
    return Outcome(value=told.get("value"), error=str(told.get("error", "")))


def refusal() -> str:
    """Why no stranger's code can be run here, as a sentence; "" where it can. Tries whether the wall holds."""
    if sys.platform != "linux" or platform.machine() not in _PROCESSORS:
        return (
            f"Code is confined by Linux's seccomp, on x86-64 and arm64; this machine is {sys.platform} on "
            f"{platform.machine()}."
        )
    try:
        (tried,) = Sandbox(_PROBE, "reward").call([[]])
    except OSError as error:
        return f"No process can be started to confine code in: {error}."
    if tried.error:
        return f"This machine does not confine code: {tried.error}"
    return "" if tried.value == [] else "This machine lets confined code through to files or processes."


def _words() -> list[str]:
    """What starts the inside, within bubblewrap where that works."""
    inside = [sys.executable, "-I", "-S", "-B", _INSIDE]
    wrap = shutil.which("bwrap")
    if wrap is None:
        return inside
    tried = subprocess.run([wrap, *_BUBBLEWRAP, "/bin/true"], capture_output=True, check=False, timeout=_BEGIN_S)
    return [wrap, *_BUBBLEWRAP, *inside] if tried.returncode == 0 else inside
