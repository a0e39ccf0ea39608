"""Owns the stage of the wire tests: paddock on a real port, the scripted engine behind it, a client in front.

It judges nothing: the tests do.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypedDict, cast

import anyio
import httpx

from paddock.app import Studio, running
from paddock.config import load
from paddock.engine.process import EngineProcess
from paddock.values import Value
from tests.fakes.scripted_shapes import Answer, Chunk, Script, Seen

FAKE = Path(__file__).parents[1] / "fakes" / "scripted_engine.py"
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
# Every wait in these tests ends by then; it is a guard against hanging, not a measure of speed.
HANG_GUARD_S = 60.0

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Hello"}
TOOL: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
OTHER_TOOL: Json = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}},
}


class Record(TypedDict):
    """What the scripted engine saw."""

    requests: list[Seen]
    hits: dict[str, int]
    open_connections: int
    all_connections: int
    now_s: float


def b64(data: bytes) -> str:
    """Bytes as a script holds them."""
    return base64.b64encode(data).decode()


def body_of(seen: Seen) -> Json:
    """The JSON that a request carried."""
    return cast(Json, json.loads(base64.b64decode(seen["body"])))


def header_of(seen: Seen, name: str) -> str | None:
    """A header of a request, by its name in lower case."""
    return {key.lower(): value for key, value in seen["headers"]}.get(name)


def plain(body: bytes, *, content_type: str = "application/json; charset=utf-8", status: int = 200) -> Answer:
    """An answer of exactly these bytes."""
    return {"status": status, "headers": [("Content-Type", content_type)], "body": b64(body)}


def refusal(status: int, message: str, kind: str = "invalid_request_error", **more: object) -> Answer:
    """A refusal in the engine's own shape."""
    return {"status": status, "json": {"error": {"code": status, "message": message, "type": kind, **more}}}


def pieces(*parts: bytes, gap_s: float = 0.0) -> Answer:
    """A stream of exactly these chunks."""
    return {"chunks": [Chunk(data=b64(part), delay_s=gap_s if place else 0.0) for place, part in enumerate(parts)]}


def engine_program(folder: Path, script: Script | None = None) -> list[str]:
    """The command that starts the scripted engine; each of its starts reads `script`."""
    path = folder / "script.json"
    path.write_text(json.dumps(script or {}), "utf-8")
    return [sys.executable, str(FAKE), "--script", str(path)]


def comments_of(stream: bytes) -> list[bytes]:
    """The comment lines of a stream."""
    return [line for line in stream.splitlines() if line.startswith(b":")]


def data_of(stream: bytes) -> list[bytes]:
    """What follows `data: ` in each data line of a stream."""
    return [line[5:].strip() for line in stream.splitlines() if line.startswith(b"data:")]


def errors_of(stream: bytes) -> list[Json]:
    """The error frames of a stream."""
    frames = [cast(Json, json.loads(data)) for data in data_of(stream) if data != b"[DONE]"]
    return [frame["error"] for frame in frames if "error" in frame]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The control side of one scripted engine."""

    port: int
    http: httpx.AsyncClient

    async def set(self, script: Script) -> None:
        """Replace the script; the turns of every route begin again."""
        await self.http.post(f"http://127.0.0.1:{self.port}/__script", json=script)

    async def clear(self) -> None:
        """Forget the script and the record."""
        await self.http.post(f"http://127.0.0.1:{self.port}/__clear")

    async def rest(self) -> None:
        """Let it close its idle connections, so that none is left by a test that shares it."""
        await self.http.post(f"http://127.0.0.1:{self.port}/__rest")

    async def record(self) -> Record:
        answer = await self.http.get(f"http://127.0.0.1:{self.port}/__record")
        return cast(Record, answer.json())

    async def seen(self, path: str = CHAT) -> list[Seen]:
        """The requests of one route, oldest first."""
        return [seen for seen in (await self.record())["requests"] if seen["path"] == path]

    async def until(self, done: Callable[[Record], object]) -> Record:
        """Wait until the record satisfies `done`."""
        with anyio.fail_after(HANG_GUARD_S):
            while not done(record := await self.record()):
                await anyio.sleep(0.005)
        return record


@dataclass(frozen=True, kw_only=True)
class Rig:
    """Paddock, a client of it, and the hand on the engine behind it."""

    studio: Studio
    http: httpx.AsyncClient

    @property
    def process(self) -> EngineProcess:
        """The process of the model that is loaded; of several, that of the one loaded first."""
        return next(iter(self.studio.pool.residents.values())).engine

    @property
    def engine(self) -> Engine:
        """The engine that runs at present."""
        return self.engine_of(next(iter(self.studio.pool.residents)))

    def engine_of(self, model_id: str) -> Engine:
        """The engine of one of several models."""
        port = self.studio.pool.residents[model_id].engine.port
        assert port is not None
        return Engine(port=port, http=self.http)

    async def script(self, *answers: Answer, path: str = CHAT) -> None:
        """Let the engine give these answers on `path`, in turn."""
        await self.engine.set({"routes": {path: list(answers)}})

    async def post(self, body: Json | bytes, path: str = CHAT, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST a body and read the whole answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(
            path, content=content, headers={"Content-Type": "application/json", **(headers or {})}
        )

    async def chat(self, **fields: object) -> httpx.Response:
        """POST a chat request; `messages` is a greeting unless given."""
        return await self.post({"messages": [USER], **fields})

    async def forwarded(self, **fields: object) -> Json:
        """The body that reached the engine for a chat request that paddock answers with 200."""
        response = await self.chat(**fields)
        assert response.status_code == 200, response.text
        return body_of((await self.engine.seen())[-1])

    async def stream(self, path: str = CHAT, **fields: object) -> bytes:
        """The whole body of a streamed answer, which must open with 200."""
        response = await self.post({"messages": [USER], "prompt": "Hello", "stream": True, **fields}, path)
        assert response.status_code == 200, response.text
        return response.content


def client(base_url: str = "") -> httpx.AsyncClient:
    """A client that takes nothing from the environment."""
    return httpx.AsyncClient(base_url=base_url, trust_env=False, verify=False, timeout=HANG_GUARD_S)


async def killed(pid: int) -> None:
    """Kill a child of this process and wait until all of it is dead, whether or not its owner has noticed."""
    os.kill(pid, signal.SIGKILL)
    with anyio.fail_after(HANG_GUARD_S):
        while not is_dead(pid):
            await anyio.sleep(0.001)


def is_dead(pid: int) -> bool:
    """Whether a child has ended with all of its threads; it stays for its owner to reap."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


@asynccontextmanager
async def scripted_studio(
    folder: Path,
    *,
    script: Script | None = None,
    warm: bool = True,
    worker_program: Sequence[str] | None = None,
    **flags: Value,
) -> AsyncGenerator[Rig]:
    """Paddock before a scripted engine. `warm` loads the model first, so that the engine can be scripted."""
    told = {"port": 0, "scan_others": False, "shutdown_grace_s": 0.5, **flags}
    settings = load(told, environ={"PADDOCK_HOME": str(folder / "home")})
    async with (
        running(settings, engine_program=engine_program(folder, script), worker_program=worker_program) as studio,
        client(studio.url) as http,
    ):
        rig = Rig(studio=studio, http=http)
        if warm:
            with anyio.fail_after(HANG_GUARD_S):
                while (await rig.chat()).status_code == HTTPStatus.GATEWAY_TIMEOUT:
                    pass  # a test's short deadline may be shorter than a start on a busy machine
            await rig.engine.clear()
        yield rig
