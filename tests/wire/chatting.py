"""Owns the words in which the tests of the page's chats speak with paddock; judges nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio

from tests.wire.rig import HANG_GUARD_S, Rig

CHATS = "/api/chats"
Json = dict[str, Any]


async def sent(rig: Rig, method: str, path: str, body: Json | None = None, status: int = 200) -> Json:
    """The JSON of an answer that has this status."""
    answer = await rig.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def new_chat(rig: Rig, **fields: Any) -> str:
    """The id of a new chat."""
    return str((await sent(rig, "POST", CHATS, fields, 201))["id"])


async def say(rig: Rig, chat_id: str, text: str = "Hello", parent_id: str | None = None, **fields: Any) -> str:
    """The id of a new message of the user."""
    body = {"parent_id": parent_id, "role": "user", "content": text, **fields}
    return str((await sent(rig, "POST", f"{CHATS}/{chat_id}/messages", body, 201))["id"])


async def ask(rig: Rig, chat_id: str, parent_id: str | None = None, **fields: Any) -> Json:
    """What is told of a new answer."""
    body = {**({"parent_id": parent_id} if parent_id else {}), **fields}
    return await sent(rig, "POST", f"{CHATS}/{chat_id}/answers", body, 202)


async def asked(rig: Rig, **fields: Any) -> tuple[str, Json]:
    """A new chat with a question and its answer, which is being made: the chat's id, and what is told of it."""
    chat_id = await new_chat(rig)
    return chat_id, await ask(rig, chat_id, await say(rig, chat_id), **fields)


async def message(rig: Rig, told: Json) -> Json:
    """A message as it is now."""
    return await sent(rig, "GET", f"{CHATS}/{told['chat_id']}/messages/{told['id']}")


async def until(rig: Rig, told: Json, done: Callable[[Json], object]) -> Json:
    """Wait until a message satisfies `done`."""
    with anyio.fail_after(HANG_GUARD_S):
        while not done(now := await message(rig, told)):
            await anyio.sleep(0.02)
    return now


async def settled(rig: Rig, told: Json) -> Json:
    """A message that is generated no more."""
    return await until(rig, told, lambda now: now["status"] != "generating")


def text_of(told: Json) -> str:
    """What a message says."""
    return "".join(part["text"] for part in told["content"] if part["type"] == "text")


def events_of(stream: bytes) -> list[tuple[str, Json]]:
    """(kind, data) of each event of a stream."""
    frames = [frame.split(b"\n") for frame in stream.split(b"\n\n") if b"event: " in frame]
    found: list[tuple[str, Json]] = []
    for lines in frames:
        fields = dict(line.split(b": ", 1) for line in lines if b": " in line and not line.startswith(b":"))
        found.append((fields[b"event"].decode(), json.loads(fields[b"data"])))
    return found
