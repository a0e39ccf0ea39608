"""Tests what is told of an engine's answer for a person to read."""

from __future__ import annotations

import pytest

from paddock.protocol.heard import Heard
from tests.shapes.responses_streams import USAGE, calls, says, stream, thinks, whole_of

DELTAS = [
    thinks("Hm"), thinks("m."), says("Let me "), says("look."),
    calls('{"a"', name="look", call_id="c1"), calls(": 1}"), calls("{}", at=1, name="feed", call_id="c2"),
]  # fmt: skip
TOLD = [
    {"type": "reasoning", "choice": 0, "text": "Hmm."},
    {"type": "text", "choice": 0, "text": "Let me look."},
    {"type": "call", "choice": 0, "id": "c1", "name": "look", "arguments": '{"a": 1}'},
    {"type": "call", "choice": 0, "id": "c2", "name": "feed", "arguments": "{}"},
    {"type": "finish_reason", "choice": 0, "finish_reason": "tool_calls"},
    {"type": "usage", "usage": USAGE},
]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_an_answer_is_told_in_few_events_however_its_bytes_came(size: int) -> None:
    heard, data = Heard(), stream(DELTAS, reason="tool_calls")
    for at in range(0, len(data), size):
        heard.feed(data[at : at + size])
    assert heard.events() == TOLD


def test_a_whole_answer_is_told_as_a_stream_is() -> None:
    heard = Heard()
    heard.whole(whole_of(DELTAS, reason="tool_calls"))
    assert heard.events() == TOLD


def test_what_broke_off_is_told_as_far_as_it_came_and_what_is_no_answer_tells_nothing() -> None:
    heard = Heard()
    heard.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"no"}}\n\ndata: {"cho')
    heard.amended(["healed: look"])
    assert [event["type"] for event in heard.events()] == ["text", "error", "amended"]
    heard = Heard()
    heard.whole(b"no JSON")
    heard.whole(b"[1]")
    heard.whole(b'{"choices": [1, {"message": 3}, {"text": 4}]}')
    assert heard.events() == []
