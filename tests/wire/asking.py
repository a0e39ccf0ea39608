"""Owns the words in which tests ask for calls of tools, hear of those that wait, and answer; judges nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import httpx

from tests.shapes.responses_streams import calls, stream
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, body_of, pieces

Json = dict[str, Any]
APPROVALS, PERMISSIONS, CALLS = "/api/tools/approvals", "/api/tools/permissions", "/api/tools/calls"
FILES: Json = {"enable_tools": True, "enabled_tools": ["files"]}
# What the tests decide about.
NAMES = ("write_file", "read_file", "files", "calculator", "mcp:github")
ASKS: Json = {**FILES, "tool_permissions": {"*": "ask"}}


def turn(*deltas: Json, reason: str = "stop") -> Any:
    """A turn of the scripted engine."""
    return pieces(stream(deltas, reason=reason))


def writing(path: str = "a.txt", content: str = "mine", *, at: int = 0, call_id: str = "w1") -> Json:
    """A call of write_file."""
    return calls(json.dumps({"path": path, "content": content}), at=at, name="write_file", call_id=call_id)


def calling(*deltas: Json) -> Any:
    """A turn that ends with these calls."""
    return turn(*deltas, reason="tool_calls")


async def waiting(http: httpx.AsyncClient, many: int = 1, **query: str) -> list[Json]:
    """The calls that wait for this client's answer, once there are so many."""
    with anyio.fail_after(HANG_GUARD_S):
        while True:
            found: list[Json] = (await http.get(APPROVALS, params=query)).json()["data"]
            if len(found) == many:
                return found
            await anyio.sleep(0.01)


async def answered(http: httpx.AsyncClient, approval_id: str, answer: str) -> httpx.Response:
    """What is told of an answer."""
    return await http.post(f"{APPROVALS}/{approval_id}", json={"answer": answer})


async def made(http: httpx.AsyncClient, **query: str | int) -> list[Json]:
    """The calls that were made, the newest first."""
    answer = await http.get(CALLS, params=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def decided(http: httpx.AsyncClient, **words: str | None) -> Json:
    """What is decided about tools after these decisions."""
    answer = await http.put(PERMISSIONS, json={"permissions": words})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["permissions"]
    return found


@asynccontextmanager
async def streaming(http: httpx.AsyncClient, path: str = CHAT, **fields: Any) -> AsyncGenerator[AsyncGenerator[Json]]:
    """The events of a stream, as they come; whoever leaves early has left."""
    body: Json = {"messages": [USER], "stream": True, **fields}
    async with http.stream("POST", path, json=body) as answer:

        async def each() -> AsyncGenerator[Json]:
            async for line in answer.aiter_lines():
                data = line.removeprefix("data: ")
                if data.startswith("{"):
                    yield json.loads(data)

        async with aclosing(each()) as events:
            yield events


async def tools_of(events: AsyncGenerator[Json]) -> list[Json]:
    """What a chat stream tells of tools, to its end."""
    return [event["paddock"]["tool"] async for event in events if "paddock" in event]


async def rounds(rig: Rig) -> int:
    """How many turns the engine was asked for."""
    return len(await rig.engine.seen())


async def results(rig: Rig) -> list[str]:
    """What the model was told of its calls, in order."""
    said = body_of((await rig.engine.seen())[-1])["messages"]
    return [one["content"] for one in said if one["role"] == "tool"]
