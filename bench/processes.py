"""Owns starting and ending the programs that are measured; knows no figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
STEADY = [sys.executable, str(ROOT / "bench" / "steady_engine.py")]
_END_S = 10
_WORDS_FILE = "stderr.txt"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where requests go. `api_key` is the engine's; paddock on loopback asks for none."""

    port: int
    api_key: str = "none"
    path: str = "/v1/chat/completions"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running paddock, and the same engine asked directly."""

    paddock: Target
    engine: Target
    process: psutil.Process
    engine_process: psutil.Process | None
    told: subprocess.Popen[str]
    heavy: tuple[str, ...]


def environment(home: str) -> dict[str, str]:
    """The environment of a program under measurement: this tree, an empty data home, no settings of this shell."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PADDOCK_", "PYTHON"))}
    # Compiled modules are kept, as an installer leaves them, but beside this tree rather than in it.
    compiled = Path(tempfile.gettempdir()) / "paddock-bench-compiled"
    return {
        **kept,
        "PADDOCK_HOME": home,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "PYTHONPYCACHEPREFIX": str(compiled),
    }


@contextmanager
def child(words: Sequence[str], home: str) -> Generator[subprocess.Popen[str]]:
    """A program with pipes to its standard input and output; it ends at the end of its input."""
    with Path(home, _WORDS_FILE).open("ab") as stderr:
        process = subprocess.Popen(
            [*words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(home),
        )
    with process:
        try:
            yield process
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def said(process: subprocess.Popen[str], home: str) -> dict[str, Any]:
    """The next JSON line that a child prints. Raises RuntimeError, with its last words, where it ended instead."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        words = Path(home, _WORDS_FILE).read_text("utf-8", "replace")[-1000:]
        raise RuntimeError(f"{process.args!r} ended before it was ready: {words}")
    return json.loads(line)


@contextmanager
def paddock(*, program: Sequence[str] = (), tell: bool = False, **settings: Any) -> Generator[Served]:
    """A paddock with its engine loaded: the real one, or `program`."""
    wish = json.dumps({"settings": settings, "program": [*program], "tell": tell})
    with (
        tempfile.TemporaryDirectory() as home,
        child([sys.executable, "-m", "bench.served", wish], home) as process,
    ):
        hello = said(process, home)
        engine = hello["engine"]
        yield Served(
            paddock=Target(port=int(hello["url"].rsplit(":", 1)[1])),
            engine=Target(port=engine["port"], api_key=engine["api_key"]),
            process=psutil.Process(process.pid),
            engine_process=psutil.Process(engine["pid"]),
            told=process,
            heavy=tuple(hello["heavy"]),
        )


@contextmanager
def bare_engine(program: Sequence[str], *flags: str) -> Generator[tuple[subprocess.Popen[str], Target]]:
    """An engine alone, started as paddock would start it; ready to be asked."""
    with tempfile.TemporaryDirectory() as home, child([*program, *flags], home) as process:
        assert process.stdin
        process.stdin.write(json.dumps({"api_key": "bench"}) + "\n")
        process.stdin.flush()
        report = said(process, home)
        yield process, Target(port=int(report["port"]), api_key="bench")


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that a process has used, in user and kernel mode."""
    times = process.cpu_times()
    return times.user + times.system


def resident_kb(process: psutil.Process) -> float:
    """Resident memory of a process in KB (1024 bytes)."""
    return process.memory_info().rss / 1024
