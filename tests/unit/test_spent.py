"""What an answer cost, by what its engine says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.protocol.spent import Spent, about


def counts(spent: Spent) -> tuple[int, int, int, int]:
    return spent.read, spent.cached, spent.written, spent.tokens


def frame(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


PIECE = frame(choices=[{"delta": {"content": "x"}}])
TIMINGS = {"cache_n": 20, "prompt_n": 5, "predicted_n": 7, "predicted_ms": 1.5}
USAGE = {
    "prompt_tokens": 25,
    "completion_tokens": 7,
    "total_tokens": 32,
    "prompt_tokens_details": {"cached_tokens": 20},
}


@pytest.mark.parametrize("told", [{"usage": USAGE}, {"timings": TIMINGS}, {"usage": USAGE, "timings": TIMINGS}])
def test_usage_and_timings_tell_the_same(told: dict[str, Any]) -> None:
    whole, streamed = Spent(), Spent()
    whole.whole(json.dumps({"choices": [], **told}).encode())
    streamed.feed(PIECE + PIECE + frame(choices=[], **told) + b"data: [DONE]\n\n")
    assert counts(whole) == counts(streamed) == (5, 20, 7, 32)


def test_pieces_are_counted_where_an_answer_broke_off() -> None:
    spent = Spent()
    for byte in PIECE * 3 + PIECE[:-2]:
        spent.feed(bytes([byte]))
    assert counts(spent) == (0, 0, 3, 3)


def test_the_last_of_several_tellings_counts_also_where_lines_end_otherwise() -> None:
    spent = Spent()
    for read in (3, 10):
        told = frame(usage={"prompt_tokens": read, "completion_tokens": 1}).replace(b"\n", b"\r\n")
        spent.feed(told[:-1])
        spent.feed(told[-1:])
    spent.feed(frame(usage=None))
    assert counts(spent) == (10, 0, 1, 11)


def test_what_a_model_says_of_usage_is_not_believed() -> None:
    lie = json.dumps({"usage": {"prompt_tokens": 10**9, "completion_tokens": 10**9}})
    spent = Spent()
    spent.whole(json.dumps({"choices": [{"message": {"content": lie}}], "usage": USAGE}).encode())
    assert counts(spent) == (5, 20, 7, 32)


def test_vectors_after_the_usage_do_not_hide_it_and_need_not_be_read() -> None:
    spent = Spent()
    told = json.dumps({"usage": {"prompt_tokens": 9, "total_tokens": 9}})[:-1].encode()
    spent.whole(told + b', "data": [' + b"0.125," * 200_000 + b" not json at all")
    assert counts(spent) == (9, 0, 0, 9)


@pytest.mark.parametrize(
    "nonsense", [b'"usage": {', b'{"usage": {"prompt_tokens": true, "completion_tokens": -3}}', b'{"timings": {}}', b""]
)
def test_nonsense_costs_nothing(nonsense: bytes) -> None:
    spent = Spent()
    spent.whole(nonsense)
    assert counts(spent) == (0, 0, 0, 0)


def test_a_stream_without_line_ends_is_not_gathered() -> None:
    spent = Spent()
    for _ in range(300):
        spent.feed(b"x" * 4096)
    assert len(spent._rest) <= 65_536  # pyright: ignore[reportPrivateUsage]


def test_without_that_the_pieces_count_and_the_prompt() -> None:
    spent = Spent(100)
    assert spent.tokens == 0
    spent.feed(PIECE * 3 + PIECE[:10])
    assert spent.tokens == 103


def test_a_prompt_is_about_a_quarter_of_its_characters_and_no_image() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
    parts = [{"type": "text", "text": "x" * 400}, image]
    asked = about({"messages": [{"role": "user", "content": parts}], "model": "m" * 400})
    assert 100 <= asked < 110
    assert about({"prompt": ["x" * 40, "y" * 40]}) == 20
    assert about({"input_prefix": "x" * 8, "input_suffix": "y" * 8}) == 4
    assert about({}) == 0


def test_a_request_however_deep_is_looked_through() -> None:
    deep: object = "x" * 8
    for _ in range(5000):
        deep = [deep]
    assert about({"messages": deep}) == 2
