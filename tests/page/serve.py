"""A program that serves the installed paddock for one test of the page; started with the wheel's folder on its path.

Prints one JSON line with its address and the link of its first admin, then answers each line on stdin with one on
stdout: `engine` tells the port of the model's engine, where the scripted one takes its script. It ends with its stdin,
or when it is asked to.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.from_thread

from paddock.app import Studio, running
from paddock.config import load


def _told(studio: Studio) -> dict[str, Any]:
    ports = [resident.engine.port for resident in studio.pool.residents.values()]
    return {"ports": [port for port in ports if port]}


async def _serve(values: dict[str, Any], engine: Sequence[str] | None, worker: Sequence[str] | None) -> None:
    async with running(load(values), engine_program=engine, worker_program=worker) as studio:
        over = anyio.Event()

        def read() -> None:
            for _ in sys.stdin:
                print(json.dumps(anyio.from_thread.run_sync(_told, studio, token=token)), flush=True)
            anyio.from_thread.run_sync(over.set, token=token)

        token = anyio.lowlevel.current_token()
        threading.Thread(target=read, daemon=True, name="stdin").start()
        print(json.dumps({"url": studio.url, "link": studio.link}), flush=True)
        async with anyio.create_task_group() as either:

            async def ends(event: anyio.Event) -> None:
                await event.wait()
                either.cancel_scope.cancel()

            either.start_soon(ends, over)
            either.start_soon(ends, studio.ended)


if __name__ == "__main__":
    _start = json.loads(sys.argv[1])
    anyio.run(_serve, _start["settings"], _start["engine"], _start["worker"])
