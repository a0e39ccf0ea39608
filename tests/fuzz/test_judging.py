"""The judge lets right answers pass and finds each fault that is planted."""

from __future__ import annotations

import pytest

from tests.fuzz.judging import Wrong, judge
from tests.fuzz.sending import Got, Sent

JSON, EVENTS, LINES = "application/json", "text/event-stream", "application/x-ndjson"
CHAT, MESSAGES, RESPONSES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat"
ERROR = b'{"error": {"message": "m", "type": "t", "param": null, "code": null}}'
CLAUDE_ERROR = b'{"type": "error", "error": {"type": "t", "message": "m"}}'
LATE = b'data: {"error": {"message": "m", "type": "server_error", "param": null, "code": "engine_refused"}}\n\n'

RIGHT = [
    (CHAT, 200, JSON, b"{}"), (CHAT, 400, JSON, ERROR), (MESSAGES, 400, JSON, CLAUDE_ERROR),
    (OLLAMA, 404, JSON, b'{"error": "m"}'), (CHAT, 200, EVENTS, b"data: {}\n\ndata: [DONE]\n\n"),
    (CHAT, 200, EVENTS, LATE), (MESSAGES, 200, EVENTS, b'data: {"type": "message_stop"}\n\n'),
    (RESPONSES, 200, EVENTS, b'data: {"type": "response.completed"}\n\n'), (OLLAMA, 200, LINES, b'{"done": true}\n'),
    ("/metrics", 200, "text/plain", b"x 1"),
]  # fmt: skip
WRONG = [
    *((CHAT, status, JSON, ERROR) for status in (500, 502, 503, 504)), (CHAT, 0, "", b""),
    (CHAT, 400, JSON, b""), (CHAT, 400, JSON, b"Bad"), (CHAT, 400, JSON, CLAUDE_ERROR), (MESSAGES, 400, JSON, ERROR),
    (OLLAMA, 400, JSON, ERROR), (CHAT, 400, JSON, ERROR.replace(b'"m"', b'""')), (CHAT, 200, JSON, b"{"),
    (CHAT, 200, JSON, b'{"a": NaN}'), (CHAT, 200, JSON, b'{"a": "\xed\xa0\x80"}'), (CHAT, 200, "text/html", b"<p>"),
    (CHAT, 200, EVENTS, b"data: {}\n\n"), (CHAT, 200, EVENTS, b"data: {}\n\ndata: [DONE]"),
    (CHAT, 200, EVENTS, b"data: x\n\ndata: [DONE]\n\n"), (CHAT, 200, EVENTS, LATE + b"data: {}\n\ndata: [DONE]\n\n"),
    (CHAT, 200, EVENTS, LATE.replace(b"engine_refused", b"internal")), (MESSAGES, 200, EVENTS, b"data: {}\n\n"),
    (RESPONSES, 200, EVENTS, b'data: {"type": "response.created"}\n\n'), (OLLAMA, 200, LINES, b'{"done": false}\n'),
    (OLLAMA, 200, LINES, b'{"error": "Something went wrong inside paddock."}\n'),
]  # fmt: skip


def answered(path: str, status: int, kind: str, body: bytes) -> None:
    judge(Sent(method="POST", target=path.encode()), Got(status=status, headers={"content-type": kind}, body=body))


@pytest.mark.parametrize(("path", "status", "kind", "body"), RIGHT)
def test_a_right_answer_passes(path: str, status: int, kind: str, body: bytes) -> None:
    answered(path, status, kind, body)


@pytest.mark.parametrize(("path", "status", "kind", "body"), WRONG)
def test_a_planted_fault_is_found(path: str, status: int, kind: str, body: bytes) -> None:
    with pytest.raises(Wrong):
        answered(path, status, kind, body)
