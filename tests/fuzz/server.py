"""Owns the process that is fuzzed: paddock before the scripted engine, and an account of what it holds on to.

    python -m tests.fuzz.server FOLDER

Prints its address as one line of JSON, then one line with its state for each line on stdin, and stops at stdin's end.
It is a process of its own so that what it holds cannot be confused with what the clients hold.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import uvloop
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

from paddock import log
from paddock.app import Studio, running
from paddock.config import load
from paddock.engine.pool import EMBEDDED
from tests.fakes.gguf_files import MODEL, gguf

EMBEDDER = "embedder"
FAKE = Path(__file__).parents[1] / "fakes" / "scripted_engine.py"
# Its model sees, so that images are looked at; it answers where the scripted engine by itself knows no answer.
_ROUTES: dict[str, Any] = {
    "/detokenize": [{"json": {"content": "Hello"}}],
    "/v1/rerank": [{"json": {"results": [{"index": 0, "relevance_score": 0.5}]}}],
}
SCRIPT: dict[str, Any] = {"props": {"modalities": {"vision": True, "audio": False}}, "routes": _ROUTES}
_OURS = ("paddock.", "starlette.", "uvicorn.")


async def serve(folder: Path) -> None:
    """Serve until stdin ends."""
    models = folder / "home" / "models"
    models.mkdir(parents=True)
    kind = {"general.architecture": "bert", "bert.context_length": 512, "bert.pooling_type": 1}
    (models / f"{EMBEDDER}.gguf").write_bytes(gguf({**MODEL, **kind}))
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT), "utf-8")
    settings = load({"port": 0, "models_most": 1, "scan_others": False}, environ={"PADDOCK_HOME": str(folder / "home")})
    log.set_up(settings.log_level)
    assert EMBEDDED[0] == sys.executable
    program = [sys.executable, str(FAKE), "--script", str(script)]
    # No request of theirs may fetch or compile anything.
    nothing = [sys.executable, "-c", ""]
    async with running(settings, engine_program=program, builds_program=nothing) as studio:
        print(json.dumps({"url": studio.url}), flush=True)
        while True:
            await anyio.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 4096):
                return
            print(json.dumps(state(studio)), flush=True)


def state(studio: Studio) -> dict[str, Any]:
    """What this process holds. Idle worker threads are left out: they are few, and end when they like."""
    gc.collect()
    residents = studio.pool.residents.values()
    threads = Counter(thread.name for thread in threading.enumerate() if not thread.name.startswith("AnyIO worker"))
    pools = [made.pool for made in gc.get_objects() if type(made) is Engine]
    return {
        "port": next((resident.engine.port for resident in residents), None),
        "rss_mib": psutil.Process().memory_info().rss // 2**20,
        "held": {
            "tasks": len(asyncio.all_tasks()),
            "threads": dict(threads),
            "busy worker threads": anyio.to_thread.current_default_thread_limiter().borrowed_tokens,
            "leases": sum(resident.leases for resident in residents),
            "databases": len(pools),
            "database connections in use": sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool)),
            "children": len(psutil.Process().children(recursive=True)),
            "files": dict(files()),
            "objects": dict(objects()),
        },
    }


def files() -> Counter[str]:
    """Open descriptors by kind. The database keeps up to five connections, which is its own affair."""
    found: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").glob("*"):
        try:
            target = str(entry.readlink())
        except OSError:  # the listing's own, closed by now
            continue
        if ".db" not in Path(target).name:
            found[target.split(":", maxsplit=1)[0] if target.startswith(("socket:", "pipe:")) else target] += 1
    # A kind of jobs takes its lock with the first of them, and holds it for as long as paddock serves.
    once = [file for file, count in found.items() if count == 1 and re.fullmatch(r".*/jobs/\.\w+\.lock", file)]
    return Counter({file: count for file, count in found.items() if file not in once})


_RESIDENT, _COUNTS = "paddock.engine.resident.Resident", "paddock.serving.counting.Counts"
_RECALL, _FLAGS = "paddock.engine.slots.SlotRecall", "paddock.engine.flags.EngineFlags"
_LINE, _JOB, _TALLY = "paddock.log.Line", "paddock.install.jobs.Job", "paddock.api.tries._Tally"


_TIMES, _TIMES_MOST = "paddock.counts.Times", 500
_DEED, _DEEDS = "paddock.api.mcp_tools.Deed", 7
_PYTHON = "paddock.sandbox.pythons.Python"


def objects() -> Counter[str]:
    """Live objects by class, of paddock's and its server's own classes."""
    # A few classes of the interpreter give something else than a name for their module.
    kinds = Counter((str(kind.__module__), kind.__name__) for kind in map(_kind_of, gc.get_objects()))
    ours = Counter({f"{room}.{name}": count for (room, name), count in kinds.items() if room.startswith(_OURS)})
    # Kept by design: so many lines of the log, in a ring, and the last job; wrong passwords of the last hour; times by
    # route and class of status, of which there are so many, whatever is asked.
    del ours[_LINE]
    del ours[_TALLY]
    ours[_JOB] = max(0, ours[_JOB] - 1)
    ours[_TIMES] = max(0, ours[_TIMES] - _TIMES_MOST)
    # What is known of the interpreter for code of models, looked for once, by the first who asks.
    ours[_PYTHON] = max(0, ours[_PYTHON] - 1)
    # The tools of paddock as a server of MCP, made when the first one asks.
    ours[_DEED] = max(0, ours[_DEED] - _DEEDS)
    # What comes with a loaded model and leaves with it, by its kind: which one is loaded at the end is chance.
    models, recalls = ours[_RESIDENT], ours[_RECALL]
    for kind, count in ((_COUNTS, models), (_RECALL, models), (_FLAGS, models + recalls)):
        ours[kind] = max(0, ours[kind] - count)
    return ours


def _kind_of(thing: object) -> type[object]:
    return type(thing)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
