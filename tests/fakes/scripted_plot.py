"""Owns the scripted engine as an agent's model: calls of tools and then a text, in an order set beforehand. No sockets.

Which act is played depends on what the conversation already holds, not on how many requests came: agents ask for
titles and summaries beside their work, and send a request again when they like.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.scripted_shapes import Act, Answer, Chunk

Json = dict[str, Any]
ASIDE = "A small task"
_HEAD: Json = {"id": "chatcmpl-plot", "created": 1, "model": "", "object": "chat.completion.chunk"}
_USAGE: Json = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 12},
}


def played(request: Json, plot: list[Act], model: str) -> Answer:
    """The act that follows the tool results in the request; a fixed text for a request without tools."""
    done = sum(1 for message in request.get("messages", []) if message.get("role") == "tool")
    act: Act = plot[min(done, len(plot) - 1)]
    if "tool" in act and not request.get("tools"):
        act = {"text": ASIDE}
    message, reason = _message(act, done)
    if not request.get("stream"):
        choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", **message}}
        body = {**_HEAD, "model": model, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        return {"json": body}
    frames = [_delta({"role": "assistant", "content": None}, model)]
    frames += [_delta(delta, model) for delta in _deltas(message)]
    frames.append(_delta({}, model, reason=reason))
    frames.append({**_HEAD, "model": model, "choices": [], "usage": _USAGE})
    texts = [*(json.dumps(frame) for frame in frames), "[DONE]"]
    return {"chunks": [Chunk(text=f"data: {text}\n\n") for text in texts]}


def _message(act: Act, done: int) -> tuple[Json, str]:
    if "tool" not in act:
        return {"content": act.get("text", "")}, "stop"
    function = {"name": act["tool"], "arguments": json.dumps(act.get("arguments", {}))}
    return {
        "content": None,
        "tool_calls": [{"id": f"call_{done}", "type": "function", "function": function}],
    }, "tool_calls"


def _deltas(message: Json) -> list[Json]:
    """A message as a stream brings it: a text by words, a call by its head and pieces of its arguments."""
    if not message.get("tool_calls"):
        return [{"content": piece} for piece in str(message["content"]).splitlines(keepends=True)]
    call = message["tool_calls"][0]
    arguments = call["function"]["arguments"]
    head = {**call, "index": 0, "function": {"name": call["function"]["name"], "arguments": ""}}
    half = len(arguments) // 2
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in (arguments[:half], arguments[half:])]
    return [{"tool_calls": [head]}, *({"tool_calls": [piece]} for piece in pieces)]


def _delta(delta: Json, model: str, *, reason: str | None = None) -> Json:
    return {**_HEAD, "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
