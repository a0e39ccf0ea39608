"""Owns what is told of this machine: what it is, what it is doing, what was logged; and ending paddock on it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock import __version__, hardware
from paddock.api.edge import Edge
from paddock.caller import current
from paddock.errors import BadRequest
from paddock.hardware.meters import Meters, Reading
from paddock.install import support
from paddock.install.host import host_of
from paddock.log import LEVELS, LINES_MOST
from paddock.serving.runs import Replay

_EVERY_S = 1.0
_NUMBER_DIGITS_MOST = 18


class System:
    """The routes, and one hand on the meters however many watch them."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._meters = Meters()
        self._turn = anyio.Lock()
        self._newest: dict[str, Any] | None = None
        self._read_at_s = 0.0
        self._started_s = int(time.time())

    async def facts(self, request: Request) -> Response:
        """What this machine is, and what paddock is on it."""
        told = await anyio.to_thread.run_sync(self._facts)
        return JSONResponse({**told, "can_end": current().may("manage")})

    async def meters(self, request: Request) -> ASGIApp:
        """What the machine is doing: once, or each second for as long as somebody watches."""
        streamed = request.query_params.get("stream", "false")
        if streamed not in ("true", "false"):
            raise BadRequest(f"stream is '{streamed[:40]}'; say true or false.", param="stream")
        if streamed == "true":
            return Replay(self._readings(), keepalive_s=self._edge.settings.keepalive_s)
        return JSONResponse(await self._reading())

    async def log(self, request: Request) -> Response:
        """The last lines of the log, oldest first."""
        query, ring = request.query_params, self._edge.log
        level = query.get("level", "debug")
        if level not in LEVELS:
            raise BadRequest(f"level is '{level[:40]}'; it must be one of {', '.join(LEVELS)}.", param="level")
        after, most = _whole(query.get("after", "0"), "after"), _whole(query.get("limit", str(LINES_MOST)), "limit")
        last = ring.last
        found = ring.lines(after=after, level=level, contains=query.get("contains", ""), most=most)
        return JSONResponse(
            {"lines": [asdict(line) for line in found], "last": max([last, *(f.number for f in found)])}
        )

    async def shutdown(self, request: Request) -> Response:
        """End paddock, once this answer is out."""
        await self._edge.note(request, "paddock ended")
        return JSONResponse({"status": "ending"}, status_code=202, background=BackgroundTask(self._end))

    async def _end(self) -> None:
        self._edge.end()

    async def _readings(self) -> AsyncGenerator[bytes]:
        while True:
            yield f"data: {json.dumps(await self._reading())}\n\n".encode()
            await anyio.sleep(_EVERY_S)

    async def _reading(self) -> dict[str, Any]:
        """The newest reading; a new one where that is too old. Whoever comes while one is made waits for that."""
        async with self._turn:
            if self._newest is None or anyio.current_time() - self._read_at_s > _EVERY_S * 0.9:
                residents = self._edge.pool.residents.values()
                processes = {f"model:{one.model_id}": one.engine.pid for one in residents if one.engine.pid}
                asked = {"paddock": os.getpid(), **processes}
                self._newest = _told(await anyio.to_thread.run_sync(self._meters.read, asked))
                self._read_at_s = anyio.current_time()
            return self._newest

    def _facts(self) -> dict[str, Any]:
        machine, home = hardware.describe(), self._edge.settings.home
        found = hardware.find_accelerators(machine.memory)
        disk = shutil.disk_usage(home.root)
        return {
            "version": __version__,
            "python": platform.python_version(),
            "system": machine.system,
            "started_s": self._started_s,
            "pid": os.getpid(),
            "cpu": asdict(machine.cpu),
            "memory": asdict(machine.memory),
            "gpus": [asdict(one) for one in found.accelerators],
            "gpu_troubles": list(found.troubles),
            "home": {
                "path": str(home.root), "used_bytes": _size_of(home.root), "free_bytes": disk.free,
                "disk_bytes": disk.total,
            },
            "engine": self._edge.engine,
            "platform": _platform(machine),
        }  # fmt: skip


def routes(edge: Edge) -> list[Route]:
    """The routes of this machine."""
    own = System(edge)
    return [
        Route("/api/system", own.facts),
        Route("/api/system/meters", own.meters),
        Route("/api/system/log", own.log),
        Route("/api/shutdown", own.shutdown, methods=["POST"]),
    ]


def _platform(machine: hardware.Machine) -> dict[str, Any]:
    """What kind of machine it is, and which features nobody has tried on one."""
    key, table = support.platform_of(host_of(machine)), support.known()
    return {"name": table.platforms.get(key, key), "experimental": table.untried(key)}


def _told(reading: Reading) -> dict[str, Any]:
    """A reading as the wire has it. The name of a model's process is the model's."""
    processes = [
        {
            "name": one.name.removeprefix("model:"),
            "is_model": one.name.startswith("model:"),
            "memory_bytes": one.memory_bytes,
            "busy_cores": _rounded(one.busy_cores),
        }
        for one in reading.processes
    ]
    return {
        "time_s": round(reading.time_s, 3),
        "cpu_share": _rounded(reading.cpu_share),
        "memory": asdict(reading.memory),
        "gpus": [asdict(one) for one in reading.gpus],
        "processes": processes,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def _size_of(folder: Path) -> int:
    """The bytes of all files beneath a folder; what goes away meanwhile is not counted."""
    found = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return found


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS_MOST):
        raise BadRequest(f"{name} is '{text[:40]}', which is not a whole number.", param=name)
    return int(text)
