"""Owns what paddock costs while it waits, and until it can: memory of slow streams and idle, start-up, cold start."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from typing import Any

import psutil

from bench.figures import Figure
from bench.processes import STEADY, Target, bare_engine, child, environment, paddock, resident_kb, said
from bench.wire import Kept, Lost, open_stream, until

_SLOW_STREAMS = 500
_FLOOD_BYTES = 4 * 2**20
_RECEIVE_BYTES = 8192
_SETTLED_S = 2.0
_CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
_HEAVY = ("torch", "transformers", "numpy", "xllamacpp")


def memory(quick: bool) -> list[Figure]:
    """Resident memory of a slow stream: its engine is slow, or its client reads nothing of a flood."""
    runs = 1 if quick else 3
    rows: list[Figure] = []
    idle = {"chunks": 1000, "per_s": 0.5}
    flood = {"flood_bytes": _FLOOD_BYTES}
    for name, wish in (("engine slow", idle), ("client does not read, buffers full", flood)):
        each: list[float] = []
        engine_each: list[float] = []
        for _ in range(runs):
            mine, its = _slow_streams_kb(wish)
            each.append(mine)
            engine_each.append(its)
        rows.append(
            Figure(
                name=f"memory of each of {_SLOW_STREAMS} slow streams, {name}",
                unit="KB",
                runs=(*each,),
                engine_runs=(*engine_each,),
                against="the steady engine's own memory of such a stream",
                total=True,
                goal=40.0,
            )
        )
    return rows


def _slow_streams_kb(wish: dict[str, Any]) -> tuple[float, float]:
    """KB of paddock and KB of its engine for each of the streams, over the same process with a few of them."""
    with paddock(program=STEADY, queue_most=2 * _SLOW_STREAMS) as served, ExitStack() as open_sockets:
        assert served.engine_process
        processes = (served.process, served.engine_process)

        def more(count: int) -> None:
            for _ in range(count):
                body = {**_CHAT, "bench": wish}
                sock = open_sockets.enter_context(
                    closing(open_stream(served.paddock, body, receive_bytes=_RECEIVE_BYTES))
                )
                sock.recv(256)

        more(8)
        time.sleep(_SETTLED_S)
        before = [resident_kb(process) for process in processes]
        more(_SLOW_STREAMS)
        time.sleep(_SETTLED_S)
        mine, its = ((resident_kb(process) - kb) / _SLOW_STREAMS for process, kb in zip(processes, before, strict=True))
        return mine, its


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        return int(sock.getsockname()[1])


def _until_answered_s(port: int, began: float) -> float:
    """Seconds from `began` until a request to `port` is answered; asks every 5 ms."""
    request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    while True:
        try:
            with Kept(Target(port=port)) as kept:
                kept.ask(request)
                return time.monotonic() - began
        except (OSError, Lost):
            time.sleep(0.005)


def _started(home: str) -> tuple[float, float]:
    """Seconds from the start of `paddock serve` to its first answer, and MB of resident memory soon after."""
    port, began = _free_port(), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "paddock", "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(home),
    )
    with process:
        try:
            took_s = _until_answered_s(port, began)
            time.sleep(0.3)
            return took_s, resident_kb(psutil.Process(process.pid)) / 1024
        finally:
            process.terminate()


def start(quick: bool) -> list[Figure]:
    """`paddock serve`: process start to first answered request, idle memory, and what its imports cost."""
    runs = 3 if quick else 7
    answered: list[float] = []
    engine_ready: list[float] = []
    idle_mb: list[float] = []
    bare_mb: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        _started(home)  # Compiles what is not compiled yet.
        for _ in range(runs):
            took_s, rests_mb = _started(home)
            answered.append(took_s)
            idle_mb.append(rests_mb)
            began = time.monotonic()
            with bare_engine(*_real_engine()) as (engine, _):
                engine_ready.append(time.monotonic() - began)
                bare_mb.append(resident_kb(psutil.Process(engine.pid)) / 1024)
        import_s, bare_s, heavy = _import_s(home, runs)
    return [
        Figure(
            name="`paddock serve`: process start to first answered request",
            unit="s",
            runs=(*answered,),
            engine_runs=(*engine_ready,),
            against="the engine's process start to its ready line, bundled model",
            total=True,
            goal=1.0,
        ),
        Figure(
            name="of which imports of paddock.app and its command line",
            unit="s",
            runs=import_s,
            engine_runs=bare_s,
            against="start and end of a Python that imports nothing",
        ),
        Figure(
            name="idle memory without the engine",
            unit="MB",
            runs=(*idle_mb,),
            engine_runs=(*bare_mb,),
            against="the engine's process with the bundled model",
            total=True,
            goal=100.0,
        ),
        Figure(
            name="heavy libraries imported by the server (torch, numpy, …)", unit="", runs=(float(heavy),), goal=0.0
        ),
    ]


def _import_s(home: str, runs: int) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Seconds that the server's imports add to a Python start, those of the bare start, and heavy libraries seen."""
    words = "import sys, paddock.app, paddock.cli, paddock.cli.serve; "
    count = f"print(sum(name in sys.modules for name in {_HEAVY!r}))"
    added: list[float] = []
    bare: list[float] = []
    heavy = 0
    for _ in range(runs):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=environment(home))
        bare.append(time.monotonic() - began)
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", words + count], check=True, env=environment(home), capture_output=True, text=True
        )
        added.append(time.monotonic() - began - bare[-1])
        heavy = int(done.stdout)
    return (*added,), (*bare,), heavy


def _real_engine() -> list[Any]:
    """Program and flags of the real engine with the bundled model."""
    from paddock.config import load
    from paddock.engine.pool import EMBEDDED
    from paddock.models.catalog import Catalog
    from paddock.serving.shelf import Shelf

    settings = load()
    shelf = Shelf(Catalog(settings.home), settings)
    return [EMBEDDED, *shelf.plan_for(shelf.default.id).flags.to_argv()]


def cold(quick: bool) -> list[Figure]:
    """A streamed request to a paddock whose engine is not loaded: sign of life, then first token."""
    runs = 3 if quick else 7
    opened: list[float] = []
    token: list[float] = []
    its: list[float] = []
    body = {**_CHAT, "max_tokens": 4}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as home:
            wish = '{"warm": false}'
            with child([sys.executable, "-m", "bench.served", wish], home) as process:
                target = Target(port=int(said(process, home)["url"].rsplit(":", 1)[1]))
                began = time.monotonic()
                with closing(open_stream(target, body)) as sock:
                    opened.append((until(sock, b" 200 ") - began) * 1000)
                    token.append((until(sock, b'"content":"') - began) * 1000)
        began = time.monotonic()
        with bare_engine(*_real_engine()) as (_, engine), closing(open_stream(engine, body)) as sock:
            its.append((until(sock, b'"content":"') - began) * 1000)
    against = "the engine alone: process start to first token"
    return [
        Figure(name="cold start: stream opened", unit="ms", runs=(*opened,), goal=100.0),
        Figure(
            name="cold start: first token", unit="ms", runs=(*token,), engine_runs=(*its,), against=against, total=True
        ),
    ]
