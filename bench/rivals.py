"""Owns the comparison with LiteLLM's proxy in front of the same engine: first event, CPU of a chunk, memory.

LiteLLM runs from an environment of its own (`requirements/bench.txt`, in `.clients/rivals`), with one worker, no key
and no database, which costs it least. It is told to load nothing from outside, what it would still ask for is sent to a
port where nobody listens, and connections to other machines fail the measurement.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, added, quantile
from bench.processes import ROOT, STEADY, Served, Target, cpu_s, paddock, resident_kb
from bench.streams import CHAT, MESSAGES, Lane, first_ms, together_s
from bench.wire import request_bytes

_FOLDER = ROOT / ".clients" / "rivals"
_LOCK = ROOT / "requirements" / "bench.txt"
_LANES = (CHAT, MESSAGES)
_STREAMS, _PER_S = 16, 25
_FIRST_TOKENS = 4
_START_S, _END_S = 120.0, 15
# A port of loopback on which nothing listens: whatever asks for the outside is refused at once.
_NOWHERE = "http://127.0.0.1:9"
_QUIET = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "DISABLE_ADMIN_UI": "True",
    **{
        f"LITELLM_LOCAL_{what}": "True"
        for what in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "AUTOROUTER_PRESETS", "BLOG_POSTS", "POLICY_TEMPLATES")
    },
    "HTTP_PROXY": _NOWHERE,
    "HTTPS_PROXY": _NOWHERE,
    "NO_PROXY": "127.0.0.1,localhost",
}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two proxies."""

    name: str
    target: Target
    process: psutil.Process

    def cpu_s(self) -> float:
        return sum(cpu_s(one) for one in (self.process, *_workers(self.process)))

    def resident_mb(self) -> float:
        return sum(resident_kb(one) for one in (self.process, *_workers(self.process))) / 1024


def _workers(process: psutil.Process) -> list[psutil.Process]:
    """The processes that a proxy works with; an engine among them is no part of it."""
    return [one for one in process.children(recursive=True) if "bench.rivals" in one.environ().get("BENCH_SIDE", "")]


def rivals(quick: bool) -> list[Figure]:
    """Paddock and LiteLLM in front of one engine, asked in turn: the real one, then the steady one for CPU."""
    if not _install():
        return []
    # Shorter than 100 chunks: LiteLLM breaks streams off that repeat one as often.
    runs, requests, stream_s = (2, 40, 2) if quick else (5, 100, 3)
    rows: list[Figure] = []
    with paddock(context_tokens=2048, slots=_STREAMS) as served, _litellm(served.engine) as (rival, version):
        for lane in _LANES:
            rows += _first(served, _sides(served, rival, version), lane, runs=runs, requests=requests)
        _refuse_outside(rival.process)
    with paddock(program=STEADY) as served, _litellm(served.engine) as (rival, version):
        sides = _sides(served, rival, version)
        for lane in _LANES:
            rows += _cpu(sides, lane, runs=runs, chunks=stream_s * _PER_S)
        rows += [
            Figure(
                name=f"side by side: {side.name}: resident memory after these streams",
                unit="MB",
                runs=(side.resident_mb(),),
            )
            for side in sides
        ]
        _refuse_outside(rival.process)
    return rows


def _sides(served: Served, rival: Side, version: str) -> tuple[Side, Side]:
    return Side(name="paddock", target=served.paddock, process=served.process), Side(
        name=f"LiteLLM {version}", target=rival.target, process=rival.process
    )


def _first(served: Served, sides: tuple[Side, ...], lane: Lane, *, runs: int, requests: int) -> list[Figure]:
    """Added time to the first event, each side and the engine's own route in turn."""
    targets = [lane.at(served.engine), *(lane.at(side.target) for side in sides)]
    asks = [request_bytes(target, lane.body(_FIRST_TOKENS)) for target in targets]
    figures: list[list[float]] = [[] for _ in sides]
    engine: list[float] = []
    for run in range(runs + 1):
        times: list[list[float]] = [[] for _ in targets]
        for _ in range(requests):
            for kept, target, ask in zip(times, targets, asks, strict=True):
                kept.append(first_ms(target, ask, lane)[0])
        if run:  # The first round only warms up.
            engine.append(quantile(times[0], 0.5))
            for kept, mine in zip(figures, times[1:], strict=True):
                kept.append(added(mine, times[0], 0.5))
    return [
        Figure(
            name=f"side by side: {side.name}, {lane.path}: added time to first event, p50",
            unit="ms",
            runs=(*kept,),
            engine_runs=(*engine,),
            against=f"the engine's own {lane.path}, p50",
        )
        for side, kept in zip(sides, figures, strict=True)
    ]


def _cpu(sides: tuple[Side, ...], lane: Lane, *, runs: int, chunks: int) -> list[Figure]:
    """CPU of each side's processes for a chunk, at 16 streams of a pace that both of them keep."""
    body: dict[str, Any] = {**lane.body(1), "bench": {"chunks": chunks, "per_s": _PER_S, "timed": False}}
    figures: list[list[float]] = [[] for _ in sides]
    for run in range(runs + 1):
        for side, kept in zip(sides, figures, strict=True):
            before_s = side.cpu_s()
            took_s = together_s(side.target, lane, body, streams=_STREAMS, tokens=None)
            if took_s < 0.9 * chunks / _PER_S:
                raise RuntimeError(f"{side.name} ended 16 streams of {chunks / _PER_S} s after {took_s:.2f} s")
            if run:
                kept.append((side.cpu_s() - before_s) / (_STREAMS * chunks) * 1e6)
    return [
        Figure(
            name=f"side by side: {side.name}, {lane.path} at {_STREAMS} streams x {_PER_S}/s: CPU of a chunk",
            unit="us",
            runs=(*kept,),
        )
        for side, kept in zip(sides, figures, strict=True)
    ]


def _install() -> bool:
    """Make LiteLLM's environment hold what the lock says; whether there is one then."""
    stamp = _FOLDER / "stamp"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return True
    print("  installing LiteLLM's proxy beside the clients", file=sys.stderr, flush=True)
    python = _FOLDER / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    pip += ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(_LOCK)]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
        subprocess.run(pip, check=True)
    except subprocess.CalledProcessError as error:
        print(f"  left out: LiteLLM cannot be installed ({error})", file=sys.stderr, flush=True)
        return False
    stamp.write_text(wanted, "utf-8")
    return True


@contextmanager
def _litellm(engine: Target) -> Generator[tuple[Side, str]]:
    """LiteLLM's proxy in front of an engine, ready to be asked, and its version."""
    with tempfile.TemporaryDirectory() as folder:
        config, log, port = Path(folder, "config.yaml"), Path(folder, "log.txt"), _free_port()
        # JSON is YAML too.
        config.write_text(json.dumps(_config(engine)), "utf-8")
        words = [str(_FOLDER / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environment = {**kept, **_QUIET, "HOME": folder, "BENCH_SIDE": "bench.rivals"}
        with log.open("wb") as out:
            process = subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=out)
        with process:
            try:
                _wait_until_live(port, process, log)
                yield Side(name="LiteLLM", target=Target(port=port), process=psutil.Process(process.pid)), _version()
            finally:
                process.terminate()
                try:
                    process.wait(_END_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def _config(engine: Target) -> dict[str, Any]:
    reached = {
        "model": "openai/pocket-v0",
        "api_base": f"http://127.0.0.1:{engine.port}/v1",
        "api_key": engine.api_key,
    }
    return {
        "model_list": [{"model_name": "pocket-v0", "litellm_params": reached}],
        "litellm_settings": {
            "telemetry": False,
            # As paddock does, and as any engine behind an OpenAI-compatible address can answer.
            "use_chat_completions_url_for_anthropic_messages": True,
        },
    }


def _version() -> str:
    named = [line for line in _LOCK.read_text("utf-8").splitlines() if line.startswith("litellm==")]
    return named[0].removeprefix("litellm==").split()[0]


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        return int(sock.getsockname()[1])


def _wait_until_live(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as sock:
                sock.sendall(f"GET /health/liveliness HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                if b" 200 " in sock.recv(1024):
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"LiteLLM did not start: {log.read_text('utf-8', 'replace')[-1500:]}")


def _refuse_outside(process: psutil.Process) -> None:
    """Fail where LiteLLM holds a connection to another machine."""
    for one in (process, *_workers(process)):
        for connection in one.net_connections(kind="inet"):
            peer = connection.raddr.ip if connection.raddr else "127.0.0.1"
            if not ipaddress.ip_address(peer).is_loopback:
                raise RuntimeError(f"LiteLLM is connected to {peer}")
