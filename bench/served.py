"""Owns the program under measurement: one paddock in a process of its own; measures nothing itself.

    python -m bench.served '{"settings": {…}, "program": ["python", "engine.py"], "warm": true, "tell": false}'

It prints one JSON line with its address and its engine's; with `tell`, then one for every log line of the engine that
tells the end of a task, with the time on the machine's monotonic clock, which must be read or the server stops. It ends
at the end of its standard input.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections import deque
from typing import Any

import anyio
import anyio.to_thread

from paddock import app
from paddock.config import Settings, load
from paddock.engine.pool import EMBEDDED

_TOLD = ("stop processing", "stop: cancel", "release:", "cancel task")
_HEAVY = ("torch", "transformers", "numpy", "tensorflow", "xllamacpp", "pandas")


class _ToldRing(deque[str]):
    """The engine's last lines, which also tells the ends of tasks as they are written."""

    def append(self, line: str, /) -> None:
        super().append(line)
        if any(word in line for word in _TOLD):
            _tell({"line": line, "at_s": time.monotonic()})


def _tell(fields: dict[str, Any]) -> None:
    print(json.dumps(fields), flush=True)


async def _run(settings: Settings, program: list[str], *, warm: bool, tell: bool) -> None:
    async with app.running(settings, engine_program=program or EMBEDDED) as studio:
        engine: dict[str, Any] = {}
        if warm:
            async with studio.pool.lease(_default_id(settings)) as lease:
                process = lease.resident.engine
                if tell:
                    process.stderr = _ToldRing(process.stderr, maxlen=process.stderr.maxlen)
                engine = {"port": lease.endpoint.port, "api_key": lease.endpoint.api_key, "pid": process.pid}
        heavy = [name for name in _HEAVY if name in sys.modules]
        _tell({"url": studio.url, "engine": engine, "heavy": heavy})
        await anyio.to_thread.run_sync(sys.stdin.buffer.read)


def _default_id(settings: Settings) -> str:
    """The id of the model that is served by default."""
    from paddock.models.catalog import Catalog

    return Catalog(settings.home).resolve(settings.model).id


def main() -> None:
    wish = json.loads(sys.argv[1])
    settings = load({"port": 0, **wish.get("settings", {})})
    program: list[str] = wish.get("program", [])
    switches = {"warm": wish.get("warm", True), "tell": wish.get("tell", False)}
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    anyio.run(lambda: _run(settings, program, **switches), backend_options={"use_uvloop": has_uvloop})


if __name__ == "__main__":
    main()
