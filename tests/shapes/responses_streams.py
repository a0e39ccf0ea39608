"""Owns engine streams and the passages they go through, for the tests of Responses; holds no tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from paddock.protocol.messages_answer import MessagesPassage
from paddock.protocol.responses import to_chat
from paddock.protocol.responses_answer import ResponsesPassage
from paddock.protocol.responses_object import Snapshot

Json = dict[str, Any]
TOOLS: list[Json] = [
    {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False},
    {"type": "custom", "name": "patch", "description": "d"},
    {"type": "namespace", "name": "farm", "description": "d", "tools": [{"type": "function", "name": "feed"}]},
]
USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 6},
}


def passage(**request: Any) -> ResponsesPassage:
    """The passage of a request that says `hi` and has all kinds of tools."""
    asked = {"model": "m", "input": "hi", "tools": TOOLS, **request}
    snapshot = Snapshot(response_id="resp_0a", created_s=100, model="m", request=asked)
    return ResponsesPassage(snapshot=snapshot, tools=to_chat(asked, response_id="resp_0a").tools)


def says(text: str) -> Json:
    return {"content": text}


def thinks(text: str) -> Json:
    return {"reasoning_content": text}


def calls(arguments: str, *, at: int | None = 0, name: str | None = None, call_id: str | None = None) -> Json:
    """One piece of a call; with a name it is its first one."""
    function = {"arguments": arguments, **({"name": name} if name else {})}
    told: Json = {"index": at, **({"id": call_id} if call_id else {}), "function": function}
    if name:
        told["type"] = "function"
    return {"tool_calls": [told]}


def stream(deltas: Sequence[Json], *, reason: str = "stop", usage: Json | None = None) -> bytes:
    """The engine's bytes for these deltas."""
    chunks: list[Json] = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]}]
    chunks += [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}], "created": 104} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({"choices": [], "created": 105, "usage": USAGE if usage is None else usage})
    frames = [b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks]
    return b"".join(frames) + b"data: [DONE]\n\n"


def whole_of(deltas: Sequence[Json], *, reason: str = "stop") -> bytes:
    """The engine's whole answer of which these deltas are the stream."""
    message: Json = {"role": "assistant", "content": ""}
    listed: dict[int, Json] = {}
    for delta in deltas:
        for name in ("content", "reasoning_content"):
            if name in delta:
                message[name] = message.get(name, "") + delta[name]
        for piece in delta.get("tool_calls", []):
            call = listed.setdefault(piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
            call["id"] = call.get("id") or piece.get("id", "")
            for name in ("name", "arguments"):
                call["function"][name] += piece["function"].get(name, "")
    if listed:
        message["tool_calls"] = [listed[index] for index in sorted(listed)]
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return json.dumps({"choices": [choice], "created": 105, "usage": USAGE}).encode()


def passed(through: ResponsesPassage | MessagesPassage, data: bytes, cuts: Sequence[int] = ()) -> bytes:
    """All that a client gets for an engine's stream, whose bytes come cut at these places."""
    out = [through.opening()]
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    start = 0
    for end in ends:
        out.append(through.feed(data[start:end]))
        start = end
    return b"".join([*out, through.finish()])


def read(data: bytes) -> list[Json]:
    """The events in a client's stream."""
    frames = [frame for frame in data.split(b"\n\n") if frame.startswith(b"event:")]
    return [json.loads(frame.split(b"\n", 1)[1][6:]) for frame in frames]
