"""Owns turning the engine's chat answer into a Messages answer, whole or as events; refuses to know requests. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.protocol.chat import Frames, calls_in, is_cut, usage_of
from paddock.protocol.shape import as_object, is_json, objects_in
from paddock.protocol.turns import tool_event

_REASONS = {"tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}
# A signature is Anthropic's own proof of a thought. Clients hand it back unread, so it only has to be there.
_SIGNATURE = "cGFkZG9jaw=="
# As json.dumps writes a text, without looking at options first.
_json_of = json.JSONEncoder().encode
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class MessagesPassage:
    """One answer's way from the engine's chat lane to a Messages client.

    Args:
        message_id: the answer's id, such as `msg_…`.
        model: the name that the client asked for.
    """

    content_type = b"text/event-stream"
    keeps_turns = True

    def __init__(self, *, message_id: str, model: str) -> None:
        self._message_id = message_id
        self._model = model
        self._frames = Frames()
        self._index = -1
        self._open = ""
        self._calls: list[dict[str, Any]] = []
        self._current = -1
        self._reason: str | None = None
        self._stop_sequence: str | None = None
        self._usage: dict[str, Any] = {}
        self._is_over = False

    def opening(self) -> bytes:
        """`message_start` and a `ping`: the counts of tokens follow in `message_delta`."""
        usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
        return _event("message_start", {"message": self._message([], None, usage)}) + _PING

    def life(self, note: str) -> bytes:
        """A `ping`."""
        return _PING

    def feed(self, data: bytes) -> bytes:
        """The events for these bytes of the engine's stream."""
        texts = self._frames.texts(data)
        if texts is not None:
            return b"".join([self._text("text", "text_delta", text) for text in texts])
        return b"".join([self._chunk(chunk) for chunk in self._frames.feed(data)])

    def finish(self) -> bytes:
        """What ends the message: its last block's end, its reason and usage."""
        out = [self._chunk(chunk) for chunk in self._frames.finish()]
        if not self._is_over:
            out += [self._rest_of_calls(), self._close()]
            usage = _usage(self._usage)
            is_unfinished = any(is_cut(call["arguments"]) for call in self._calls)
            reason = {"stop_reason": _reason(self._reason, self._stop_sequence, is_unfinished=is_unfinished)}
            delta = {**reason, "stop_sequence": self._stop_sequence}
            out.append(_event("message_delta", {"delta": delta, "usage": usage}) + _event("message_stop", {}))
            self._is_over = True
        return b"".join(out)

    def fail(self, error: dict[str, Any]) -> bytes:
        """One `error` event; nothing follows."""
        self._is_over = True
        return _event("error", {"error": error})

    def whole(self, body: bytes) -> bytes:
        """The message for a whole chat completion."""
        answer = as_object(json.loads(body)) or {}
        choice = (objects_in(answer.get("choices")) or [dict[str, Any]()])[0]
        said = as_object(choice.get("message")) or {}
        content: list[dict[str, Any]] = []
        # Without tools of the server the message is its only turn.
        for turn in objects_in((as_object(answer.get("paddock")) or {}).get("turns")) or [said]:
            if turn.get("reasoning_content"):
                content.append({"type": "thinking", "thinking": turn["reasoning_content"], "signature": _SIGNATURE})
            if turn.get("content"):
                content.append({"type": "text", "text": turn["content"]})
            events = objects_in(turn.get("tools"))
            for ended in (False, True):
                content += [block for event in events for block in tool_blocks(event, ended=ended)]
        calls = calls_in(said)
        content += [_tool_use(call_id, name, _input(arguments)) for call_id, name, arguments in calls]
        stopped = _stop_word(choice)
        is_unfinished = any(is_cut(arguments) for _, _, arguments in calls)
        reason = _reason(choice.get("finish_reason"), stopped, is_unfinished=is_unfinished)
        message = self._message(content, reason, _usage(as_object(answer.get("usage")) or {}))
        return json.dumps({**message, "stop_sequence": stopped}, ensure_ascii=False).encode("utf-8", "replace")

    def _message(self, content: list[dict[str, Any]], reason: str | None, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self._message_id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage,
        }

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if "error" in chunk:
            error = as_object(chunk["error"]) or {"message": str(chunk["error"])}
            return self.fail({"type": "api_error", "message": str(error.get("message") or "The engine failed.")})
        if usage := as_object(chunk.get("usage")):
            self._usage = usage
        if event := tool_event(chunk):
            return self._tool(event)
        out = b""
        for choice in objects_in(chunk.get("choices"))[:1]:
            delta = as_object(choice.get("delta")) or {}
            if thought := delta.get("reasoning_content"):
                out += self._text("thinking", "thinking_delta", thought)
            if text := delta.get("content"):
                out += self._text("text", "text_delta", text)
            if delta.get("tool_calls"):
                out += b"".join(self._call(call) for call in objects_in(delta["tool_calls"]))
            if choice.get("finish_reason"):
                self._reason = choice["finish_reason"]
                self._stop_sequence = _stop_word(choice)
        return out

    def _tool(self, event: dict[str, Any]) -> bytes:
        """What a tool of the server does: blocks for its call and its result, an own event for all else."""
        if event["state"] in ("output", "asking", "answered"):
            return _event("paddock_tool", {"tool": event})
        out = self._close()
        for block in tool_blocks(event, ended=event["state"] != "running"):
            self._index += 1
            shown: dict[str, Any] = {**block, "input": {}} if "input" in block else block
            out += _event("content_block_start", {"index": self._index, "content_block": shown})
            if "input" in block:
                out += _delta(self._index, "input_json_delta", "partial_json", json.dumps(block["input"]))
            out += _event("content_block_stop", {"index": self._index})
        return out

    def _text(self, kind: str, delta_kind: str, text: str) -> bytes:
        out = b""
        if self._open != kind:
            out = self._rest_of_calls() + self._begin(
                kind, {kind: "", **({"signature": ""} if kind == "thinking" else {})}
            )
        return out + _delta(self._index, delta_kind, kind, text)

    def _begin(self, kind: str, block: dict[str, Any]) -> bytes:
        out = self._close()
        self._index += 1
        self._open = kind
        fields = {"index": self._index, "content_block": {"type": kind, **block}}
        return out + _event("content_block_start", fields)

    def _close(self) -> bytes:
        if not self._open:
            return b""
        out = b""
        if self._open == "thinking":
            out = _delta(self._index, "signature_delta", "signature", _SIGNATURE)
        self._open = ""
        return out + _event("content_block_stop", {"index": self._index})

    def _call(self, call: dict[str, Any]) -> bytes:
        """One delta of a call. Blocks follow one another: a call that is not the newest one waits for its turn."""
        place = call.get("index")
        place = place if isinstance(place, int) else max(len(self._calls) - 1, 0)
        while place >= len(self._calls):
            self._calls.append({"id": "", "name": "", "arguments": "", "sent": 0})
        held = self._calls[place]
        function = as_object(call.get("function")) or {}
        held["id"] = held["id"] or str(call.get("id") or "")
        held["name"] = held["name"] or str(function.get("name") or "")
        held["arguments"] += str(function.get("arguments") or "")
        if place == self._current or (place == self._current + 1 and held["name"] and self._is_next_due()):
            return self._show(place)
        return b""

    def _is_next_due(self) -> bool:
        """Whether the newest block can have nothing more to say: its arguments are whole."""
        return self._current < 0 or is_json(self._calls[self._current]["arguments"])

    def _show(self, place: int) -> bytes:
        """What is known of a call and not yet sent."""
        held, out = self._calls[place], b""
        if place != self._current:
            self._current = place
            name = held["name"]
            out = self._begin(
                "tool_use", {"id": held["id"] or f"{self._message_id}_{place}", "name": name, "input": {}}
            )
        if self._open == "tool_use" and (piece := held["arguments"][held["sent"] :]):
            held["sent"] = len(held["arguments"])
            out += _delta(self._index, "input_json_delta", "partial_json", piece)
        return out

    def _rest_of_calls(self) -> bytes:
        """The calls that waited for their turn; one without any arguments has none."""
        out = b""
        for place in range(max(self._current, 0), len(self._calls)):
            held = self._calls[place]
            held["arguments"] = held["arguments"] or "{}"
            out += self._show(place)
        return out


def tool_blocks(event: dict[str, Any], *, ended: bool) -> list[dict[str, Any]]:
    """The block of a call that the server carries out, or of its result once that `ended`."""
    use_id = f"mcptoolu_{event['id']}"
    if not ended:
        given = _input(event["arguments"])
        named = {"id": use_id, "name": event["name"], "input": given, "server_name": "paddock"}
        return [{"type": "mcp_tool_use", **named}]
    content = [{"type": "text", "text": event["output"]}]
    files = {"files": event["files"]} if event.get("files") else {}
    is_error = event["state"] == "failed"
    return [{"type": "mcp_tool_result", "tool_use_id": use_id, "is_error": is_error, "content": content, **files}]


def _tool_use(call_id: str, name: str, given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def _input(arguments: str) -> Any:
    """The arguments as an object; those of a cut call as far as they came, under a name that says so."""
    if is_cut(arguments):
        return {"unreadable": arguments}
    read = as_object(json.loads(arguments or "{}"))
    return {"value": json.loads(arguments)} if read is None else read


def _reason(reason: Any, stop_sequence: str | None, *, is_unfinished: bool) -> str:
    if is_unfinished:
        return "max_tokens"
    return "stop_sequence" if stop_sequence is not None else _REASONS.get(str(reason), "end_turn")


def _stop_word(choice: dict[str, Any]) -> str | None:
    """The stop sequence that ended the answer, where the engine tells."""
    word = choice.get("stop_reason", choice.get("stopping_word"))
    return word if isinstance(word, str) and word and choice.get("finish_reason") == "stop" else None


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Anthropic counts what was read from the cache apart from the rest of the prompt."""
    prompt, completion, cached = usage_of(usage)
    return {
        "input_tokens": max(0, prompt - cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": completion,
    }


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False).encode("utf-8", "replace")
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _delta(index: int, kind: str, name: str, text: str) -> bytes:
    """One delta of a block: the most frequent event, so put together by hand."""
    return (
        f'event: content_block_delta\ndata: {{"type": "content_block_delta", "index": {index}, '
        f'"delta": {{"type": "{kind}", "{name}": {_json_of(text)}}}}}\n\n'
    ).encode()
