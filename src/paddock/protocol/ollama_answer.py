"""Owns turning the engine's chat answer into Ollama's, whole or as lines; refuses to know requests. Pure."""

from __future__ import annotations

import json
from typing import Any, Literal

from paddock.protocol.chat import Frames, calls_in, is_cut, usage_of
from paddock.protocol.shape import as_object, objects_in
from paddock.protocol.turns import tool_event

_NS_PER_MS = 1_000_000


class OllamaPassage:
    """One answer's way from the engine's chat lane to a client of Ollama's API.

    Args:
        kind: which route was asked.
        model: the name that the client asked for.
        created_at: the time, as text.
    """

    content_type = b"application/x-ndjson"
    keeps_turns = False

    def __init__(self, *, kind: Literal["chat", "generate"], model: str, created_at: str) -> None:
        self._kind = kind
        self._head = {"model": model, "created_at": created_at}
        self._frames = Frames()
        self._calls: dict[int, list[str]] = {}
        self._reason = "stop"
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}
        self._is_over = False

    def opening(self) -> bytes:
        """Nothing: the first line comes with the first word."""
        return b""

    def life(self, note: str) -> bytes:
        """An empty piece, which adds nothing."""
        return self._line({"content": ""})

    def feed(self, data: bytes) -> bytes:
        """The lines for these bytes of the engine's stream."""
        return b"".join(self._chunk(chunk) for chunk in self._frames.feed(data))

    def finish(self) -> bytes:
        """The calls, which Ollama gives whole, and the last line with its counts."""
        out = b"".join(self._chunk(chunk) for chunk in self._frames.finish())
        if self._is_over:
            return out
        self._is_over = True
        calls = [(name, arguments) for _, (name, arguments) in sorted(self._calls.items())]
        if calls:
            out += self._line({"content": "", "tool_calls": _calls(calls)})
        return out + self._line({"content": ""}, **self._end())

    def fail(self, error: dict[str, Any]) -> bytes:
        """One line with the error; nothing follows."""
        self._is_over = True
        return _json({"error": error.get("error") or error.get("message")}) + b"\n"

    def whole(self, body: bytes) -> bytes:
        """The answer for a whole chat completion."""
        answer = as_object(json.loads(body)) or {}
        choice = (objects_in(answer.get("choices")) or [dict[str, Any]()])[0]
        said = as_object(choice.get("message")) or {}
        message: dict[str, Any] = {"content": said.get("content") or ""}
        if said.get("reasoning_content"):
            message["thinking"] = said["reasoning_content"]
        calls = [(name, arguments) for _, name, arguments in calls_in(said)]
        if calls:
            message["tool_calls"] = _calls(calls)
        self._reason = str(choice.get("finish_reason") or "stop")
        self._usage = as_object(answer.get("usage")) or {}
        self._timings = as_object(answer.get("timings")) or {}
        turns = {"paddock": answer["paddock"]} if "paddock" in answer else {}
        return _json({**self._shaped(message, self._end()), **turns})

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if "error" in chunk:
            error = as_object(chunk["error"]) or {"message": str(chunk["error"])}
            return self.fail(error)
        self._usage = as_object(chunk.get("usage")) or self._usage
        self._timings = as_object(chunk.get("timings")) or self._timings
        if event := tool_event(chunk):
            return _json({**self._shaped({"content": ""}, {"done": False}), "paddock": {"tool": event}}) + b"\n"
        out = b""
        for choice in objects_in(chunk.get("choices"))[:1]:
            delta = as_object(choice.get("delta")) or {}
            if delta.get("reasoning_content"):
                out += self._line({"content": "", "thinking": delta["reasoning_content"]})
            if delta.get("content"):
                out += self._line({"content": delta["content"]})
            for call in objects_in(delta.get("tool_calls")):
                function = as_object(call.get("function")) or {}
                held = self._calls.setdefault(int(call.get("index") or 0), ["", ""])
                held[0] = held[0] or str(function.get("name") or "")
                held[1] += str(function.get("arguments") or "")
            self._reason = str(choice.get("finish_reason") or self._reason)
        return out

    def _line(self, message: dict[str, Any], **end: Any) -> bytes:
        return _json(self._shaped(message, end or {"done": False})) + b"\n"

    def _shaped(self, message: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
        if self._kind == "chat":
            return {**self._head, "message": {"role": "assistant", **message}, **end}
        said = {"response": message["content"], **({"thinking": message["thinking"]} if "thinking" in message else {})}
        return {**self._head, **said, **end}

    def _end(self) -> dict[str, Any]:
        prompt, completion, _ = usage_of(self._usage)
        prompt_ns, eval_ns = (_nanoseconds(self._timings.get(name)) for name in ("prompt_ms", "predicted_ms"))
        return {
            "done": True,
            "done_reason": "length" if self._reason == "length" else "stop",
            "total_duration": prompt_ns + eval_ns,
            "load_duration": 0,
            "prompt_eval_count": prompt,
            "prompt_eval_duration": prompt_ns,
            "eval_count": completion,
            "eval_duration": eval_ns,
        }


def _calls(calls: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Calls with their arguments as objects; those of a cut call as far as they came."""
    return [
        {"function": {"name": name, "arguments": {"unreadable": text} if is_cut(text) else json.loads(text or "{}")}}
        for name, text in calls
    ]


def _nanoseconds(time_ms: object) -> int:
    return int(time_ms * _NS_PER_MS) if isinstance(time_ms, (int, float)) else 0


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
