"""Owns what every answer must be, whatever was asked; shares no table with the code under test.

Covers: the status, the shape of an error in the route's dialect, a stream's frames and its end, JSON that can be read.
Does not cover: whether a request was understood rightly.
"""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import unquote

from tests.fuzz.sending import Got, Sent

# The scripted engine is told to fail at nothing, so nothing may be told as its failure, or as ours.
NEVER = {500, 502, 503, 504}
OLLAMA = {
    f"/api/{name}"
    for name in (
        "version", "tags", "show", "chat", "generate", "embed", "embeddings", "ps",
        "pull", "push", "create", "copy", "delete", "blobs",
    )
}  # fmt: skip
_FAILURES = (
    "engine_unreachable", "engine_failed", "engine_unavailable", "engine_timeout", "internal", "store_unusable",
    "api_error", "overloaded_error", "inside paddock", "was lost", "did not answer",
)  # fmt: skip
_NO_HTTP = b"Bad Request: what came is no request of HTTP."
_TOO_LARGE = b"Request Header Fields Too Large: "
_RESPONSES_ENDS = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}


class Wrong(AssertionError):
    """An answer that may not be."""


def judge(sent: Sent, got: Got) -> None:
    """Raise Wrong unless `got` may answer `sent`."""
    if fault := _fault(sent, got):
        raise Wrong(f"{fault}\nasked {sent!r}\n  {sent.body[:3000]!r}\ngot {got!r}\n  {got.body[:1500]!r}")


def _fault(sent: Sent, got: Got) -> str:
    is_unread = got.status == 0 or (got.status == 400 and got.body == _NO_HTTP)
    # Of a head that long nobody reads which dialect it speaks.
    if (is_unread and not sent.is_http) or (got.status == 431 and got.body.startswith(_TOO_LARGE)):
        return ""
    if got.status == 0:
        return "The connection was closed without an answer."
    if got.status in NEVER or got.status > 504:
        return f"The status is {got.status}."
    if sent.method == "HEAD" or got.status == 204:
        return "" if not got.body else "A body where none may be."
    if got.status >= 400:
        return _error_fault(unquote(sent.path, "latin-1"), got)
    if got.content_type == "text/event-stream":
        return _events_fault(sent, got)
    if got.content_type == "application/x-ndjson":
        return _lines_fault(got)
    if got.content_type == "application/json":
        return "" if read(got.body) is not None else "The JSON cannot be read."
    if got.content_type == "application/jsonl":
        # Chats that leave as a file, one a line.
        lines = [line for line in got.body.split(b"\n") if line]
        return "" if all(isinstance(read(line), dict) for line in lines) else "A line of the file is no JSON."
    is_text = got.content_type in ("text/plain", "text/markdown")
    return "" if is_text else f"A body of type {got.content_type!r}."


def read(data: bytes) -> dict[str, Any] | list[Any] | None:
    """An object or a list in bytes; None where there is none."""
    try:
        value: object = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any] | list[Any]", value) if isinstance(value, (dict, list)) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _error_fault(path: str, got: Got) -> str:
    body = read(got.body)
    if not isinstance(body, dict):
        return "The error is no JSON object."
    error: Any = body.get("error")
    if path in OLLAMA:
        return "" if isinstance(error, str) and error else "The error is not in Ollama's shape."
    if path == "/mcp" and body.get("jsonrpc") == "2.0":
        said = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
        is_told = isinstance(said.get("code"), int) and isinstance(said.get("message"), str) and said["message"]
        return "" if is_told else "The error is not in JSON-RPC's shape."
    is_anthropic = path == "/v1/messages" or path.startswith("/v1/messages/")
    names = {"type", "message"} if is_anthropic else {"message", "type", "param", "code"}
    if not isinstance(error, dict) or set(cast("dict[str, Any]", error)) != names:
        return f"The error does not hold {sorted(names)}."
    if is_anthropic and body.get("type") != "error":
        return "The error is not in Anthropic's shape."
    held = cast("dict[str, Any]", error)
    return "" if held["message"] and isinstance(held["message"], str) and held["type"] else "The error says nothing."


def _events_fault(sent: Sent, got: Got) -> str:
    if not got.body.endswith(b"\n\n") and got.body:
        return "The stream's last event is cut."
    frames = [line[5:].strip() for line in got.body.split(b"\n") if line.startswith(b"data:")]
    events = [read(frame) for frame in frames if frame != b"[DONE]"]
    for event in events:
        if not isinstance(event, dict):
            return "An event of the stream is no JSON object."
        response: Any = event.get("response") or {}
        if told := event.get("error") or response.get("error"):
            return "" if _is_refusal(told) and event is events[-1] else f"The stream tells a failure: {event!s:.500}"
    last = cast("dict[str, Any]", events[-1]) if events else {}
    if sent.path == "/v1/messages":
        return "" if last.get("type") == "message_stop" else "The stream has no end."
    if sent.path == "/v1/responses":
        return "" if last.get("type") in _RESPONSES_ENDS else "The stream has no end."
    if sent.path.startswith("/v1/responses/"):
        return ""
    return "" if frames and frames[-1] == b"[DONE]" else "The stream has no end."


def _lines_fault(got: Got) -> str:
    lines = [read(line) for line in got.body.split(b"\n") if line]
    for line in lines:
        if not isinstance(line, dict):
            return f"A line of the stream is no JSON: {line!s:.500}"
        if told := line.get("error"):
            return "" if _is_refusal(told) and line is lines[-1] else f"The stream tells a failure: {told!s:.500}"
    is_over = bool(lines) and cast("dict[str, Any]", lines[-1]).get("done") is True
    return "" if is_over else "The stream has no end."


def _is_refusal(told: object) -> bool:
    """Whether an error within a stream, opened while the model was being loaded, blames the request."""
    text = json.dumps(told)
    return not any(word in text for word in _FAILURES)
