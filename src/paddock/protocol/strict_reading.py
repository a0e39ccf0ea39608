"""Owns reading an answer as a strict client of its dialect would; refuses to know what was asked beyond the route.

What a client would stumble over is gathered in `faults`; reading goes on where it can.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from paddock.protocol.shape import as_object, objects_in

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


@dataclass(kw_only=True)
class Call:
    """A tool call: its id, the tool's name, and its arguments as JSON text."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(kw_only=True)
class Heard:
    """What an answer said. Token counts are None where none came; `is_cut` tells that the limit ended it."""

    text: str = ""
    calls: list[Call] = field(default_factory=list[Call])
    prompt_tokens: int | None = None
    cached_tokens: int = 0
    is_cut: bool = False
    faults: list[str] = field(default_factory=list[str])

    def must(self, holds: object, fault: str) -> None:
        """Note a fault where something does not hold."""
        if not holds:
            self.faults.append(fault)


def listen(route: str, data: bytes, *, streamed: bool) -> Heard:
    """Read a whole answer of one of the generating routes."""
    heard = Heard()
    whole, stream = _READERS[route]
    try:
        if streamed:
            stream(heard, list(_frames(heard, data)))
        else:
            whole(heard, json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        heard.faults.append(f"it cannot be read: {type(error).__name__} {str(error)[:80]}")
    return heard


def _frames(heard: Heard, data: bytes) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Event names and data of a stream; None for `[DONE]`."""
    heard.must(data.endswith(b"\n\n"), "the stream breaks off within an event")
    for frame in data.split(b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if b": " in line and line[:1] != b":")
        if b"data" in fields:
            event = fields.get(b"event", b"").decode()
            yield event, None if fields[b"data"] == b"[DONE]" else json.loads(fields[b"data"])


def _held(value: object) -> dict[str, Any]:
    return as_object(value) or {}


def _usage(heard: Heard, usage: dict[str, Any] | None, read: str, details: str) -> None:
    if usage is not None:
        heard.prompt_tokens = usage[read]
        heard.cached_tokens = _held(usage.get(details)).get("cached_tokens") or 0


def _chat_whole(heard: Heard, body: dict[str, Any]) -> None:
    choice = body["choices"][0]
    heard.must(body.get("id") and body.get("model"), "the answer has no id or no model")
    heard.must(choice.get("finish_reason"), "the answer has no finish_reason")
    message = _held(choice.get("message"))
    heard.text = message.get("content") or choice.get("text") or ""
    heard.calls = [
        Call(id=call.get("id") or "", name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in objects_in(message.get("tool_calls"))
    ]
    heard.is_cut = choice["finish_reason"] == "length"
    heard.must((choice["finish_reason"] == "tool_calls") == bool(heard.calls) or heard.is_cut, "finish_reason is wrong")
    _usage(heard, body.get("usage"), "prompt_tokens", "prompt_tokens_details")


def _chat_stream(heard: Heard, frames: list[tuple[str, dict[str, Any] | None]]) -> None:
    heard.must(frames and frames[-1][1] is None, "the stream ends without [DONE]")
    chunks = [chunk for _, chunk in frames if chunk is not None]
    heard.must(len({chunk.get("id") for chunk in chunks}) == 1, "the chunks have more than one id, or none")
    reasons: list[str] = []
    for chunk in chunks:
        heard.must("error" not in chunk, f"the stream says: {str(chunk.get('error'))[:200]}")
        _usage(heard, chunk.get("usage"), "prompt_tokens", "prompt_tokens_details")
        for choice in objects_in(chunk.get("choices")):
            delta = _held(choice.get("delta"))
            heard.text += delta.get("content") or choice.get("text") or ""
            reasons += [choice["finish_reason"]] if choice.get("finish_reason") else []
            for piece in objects_in(delta.get("tool_calls")):
                _add_piece(heard, piece)
    heard.must(len(reasons) == 1, f"the stream has {len(reasons)} finish reasons")
    heard.is_cut = reasons == ["length"]
    heard.must((reasons == ["tool_calls"]) == bool(heard.calls) or heard.is_cut, f"finish_reason {reasons} is wrong")


def _add_piece(heard: Heard, piece: dict[str, Any]) -> None:
    place, function = int(piece["index"]), _held(piece.get("function"))
    if place == len(heard.calls):
        heard.calls.append(Call(id=piece.get("id") or "", name=function.get("name") or ""))
    heard.calls[place].arguments += function.get("arguments") or ""


def _message_whole(heard: Heard, body: dict[str, Any]) -> None:
    heard.must(body.get("id") and body.get("type") == "message", "the answer is no message with an id")
    for block in objects_in(body["content"]):
        heard.text += block.get("text") or ""
        if block["type"] == "tool_use":
            arguments = json.dumps(block["input"])
            heard.calls.append(Call(id=block["id"], name=block["name"], arguments=arguments))
    _message_end(heard, body.get("stop_reason"), body["usage"])


def _message_stream(heard: Heard, frames: list[tuple[str, dict[str, Any] | None]]) -> None:
    kinds = [event for event, _ in frames]
    heard.must(kinds[:1] == ["message_start"], "the stream does not begin with message_start")
    heard.must(kinds[-1:] == ["message_stop"], f"the stream ends with {kinds[-1:]}")
    reason, opened, is_open = None, 0, False
    usage: dict[str, Any] = {}
    for event, given in frames:
        data = _held(given)
        heard.must(data.get("type") == event, f"the event {event} holds data of another type")
        heard.must(event != "error", f"the stream says: {str(data.get('error'))[:200]}")
        if event == "message_start":
            usage |= data["message"]["usage"]
        elif event == "content_block_start":
            heard.must(data["index"] == opened and not is_open, f"block {data['index']} opens out of turn")
            opened, is_open = opened + 1, True
            _open_block(heard, data["content_block"])
        elif event == "content_block_delta":
            heard.must(data["index"] == opened - 1 and is_open, f"a delta of block {data['index']} is out of turn")
            heard.text += data["delta"].get("text") or ""
            if "partial_json" in data["delta"]:
                heard.calls[-1].arguments += data["delta"]["partial_json"]
        elif event == "content_block_stop":
            heard.must(data["index"] == opened - 1 and is_open, f"block {data['index']} ends out of turn")
            is_open = False
        elif event == "message_delta":
            heard.must(not is_open, "the message ends within a block")
            reason, usage = data["delta"]["stop_reason"], usage | data["usage"]
    _message_end(heard, reason, usage)


def _open_block(heard: Heard, block: dict[str, Any]) -> None:
    if block["type"] == "tool_use":
        heard.calls.append(Call(id=block["id"], name=block["name"]))


def _message_end(heard: Heard, reason: str | None, usage: dict[str, Any]) -> None:
    heard.is_cut = reason == "max_tokens"
    heard.must(reason, "the answer has no stop_reason")
    heard.must((reason == "tool_use") == bool(heard.calls) or heard.is_cut, f"stop_reason {reason} is wrong")
    heard.cached_tokens = usage.get("cache_read_input_tokens") or 0
    heard.prompt_tokens = usage["input_tokens"] + heard.cached_tokens + (usage.get("cache_creation_input_tokens") or 0)


def _response_whole(heard: Heard, body: dict[str, Any]) -> None:
    heard.must(body.get("id") and body.get("object") == "response", "the answer is no response with an id")
    heard.must(body["status"] in ("completed", "incomplete"), f"the response is {body['status']}: {body.get('error')}")
    heard.is_cut = body["status"] == "incomplete"
    for item in objects_in(body["output"]):
        if item["type"] == "message":
            heard.text += "".join(part.get("text") or "" for part in objects_in(item["content"]))
        elif item["type"] in ("function_call", "custom_tool_call"):
            arguments = item.get("arguments") or json.dumps({"input": item.get("input")})
            heard.calls.append(Call(id=item["call_id"], name=item["name"], arguments=arguments))
    _usage(heard, body.get("usage"), "input_tokens", "input_tokens_details")


def _response_stream(heard: Heard, frames: list[tuple[str, dict[str, Any] | None]]) -> None:
    events = [data for _, data in frames if data is not None]
    kinds = [event["type"] for event in events]
    heard.must(kinds == [name for name, _ in frames], "an event's line names another event than its data")
    heard.must(kinds[:1] == ["response.created"], "the stream does not begin with response.created")
    numbers = [event["sequence_number"] for event in events]
    heard.must(numbers == list(range(len(events))), "the sequence numbers have a gap")
    heard.must(kinds.count("response.output_item.added") == kinds.count("response.output_item.done"), "an item is open")
    heard.must(kinds[-1] in _RESPONSE_ENDS, f"the stream ends with {kinds[-1]}")
    streamed = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    _response_whole(heard, events[-1]["response"])
    heard.must(streamed == heard.text, "the text deltas do not add up to the text")


_READERS: dict[str, tuple[Callable[[Heard, Any], None], Callable[[Heard, Any], None]]] = {
    CHAT: (_chat_whole, _chat_stream),
    COMPLETIONS: (_chat_whole, _chat_stream),
    MESSAGES: (_message_whole, _message_stream),
    RESPONSES: (_response_whole, _response_stream),
}
