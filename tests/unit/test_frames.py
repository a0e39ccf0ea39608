"""Texts that are compared rather than parsed: the client gets the same bytes, however the stream's bytes were split."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from paddock.protocol.chat import Frames
from paddock.protocol.messages_answer import MessagesPassage
from paddock.protocol.responses_answer import ResponsesPassage
from paddock.protocol.responses_object import Snapshot
from paddock.protocol.responses_tools import tools_of

REST = {"created": 1764000000, "id": "chatcmpl-x", "model": "m", "system_fingerprint": "b1", "object": "chunk"}


def frame(delta: dict[str, Any], *, reason: str | None = None, **more: Any) -> bytes:
    """A frame in the form that llama.cpp's server gives it."""
    choice = {"finish_reason": reason, "index": 0, "delta": delta}
    chunk = {"choices": [choice], **REST, **more}
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def said(text: str, **more: Any) -> bytes:
    return frame({"content": text}, **more)


def passages() -> tuple[MessagesPassage, ResponsesPassage]:
    snapshot = Snapshot(response_id="resp_1", created_s=1, model="m", request={})
    return (
        MessagesPassage(message_id="msg_1", model="m"),
        ResponsesPassage(snapshot=snapshot, tools=tools_of(None, {})),
    )


def answered(pieces: Sequence[bytes]) -> tuple[bytes, ...]:
    """What each dialect's client gets of a stream that comes in these pieces."""
    out: list[bytes] = []
    for passage in passages():
        fed = [passage.feed(piece) for piece in pieces]
        out.append(b"".join([passage.opening(), *fed, passage.finish()]))
    return tuple(out)


def test_a_frame_like_one_before_is_not_parsed_again() -> None:
    frames = Frames()
    assert frames.texts(said("one")) is None
    assert [chunk["choices"][0]["delta"]["content"] for chunk in frames.feed(said("one"))] == ["one"]
    assert frames.texts(said(" two")) == [" two"]
    assert frames.texts(said(" é") + said("!")) == [" é", "!"]


def test_what_says_more_than_a_text_is_parsed() -> None:
    frames = Frames()
    frames.texts(said("one"))
    odd = (
        said("\n"),
        said('"'),
        said("one", usage={}),
        said("one") + b"data: [DONE]\n\n",
        frame({"content": "one", "role": "assistant"}),
        frame({"content": "one"}, reason="stop"),
        said("one")[:-1],
        said("one").replace(b'"created"', b'"logprobs":null,"created"'),
        said("one") + frame({"tool_calls": []}) + said("one"),
        said("one").replace(b"one", b"\xff"),
    )
    assert [frames.texts(data) for data in odd] == [None] * len(odd)
    assert frames.texts(said("two")) == ["two"]


def test_the_form_is_learned_anew_when_it_changes_and_not_for_ever_where_it_always_does() -> None:
    frames = Frames()
    for second in range(100):
        assert frames.texts(said("one", created=second)) is None
        assert frames.texts(said("two", created=second)) == ["two"]
    for second in range(100):
        assert frames.texts(said("one", sent_s=second)) is None
    assert [frames.texts(said("one", created=1)) for _ in range(2)] == [None, None]
    assert [frames.texts(said("one", created=1)) for _ in range(2)] == [None, None]


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 4000), max_size=6),
)
@example(texts=["a", "b", "\\", "\n", '"', "é", "c"], cuts=[])
def test_the_same_bytes_reach_the_client_however_the_stream_was_split(texts: list[str], cuts: list[int]) -> None:
    frames = [frame({"role": "assistant", "content": None}), *map(said, texts), frame({}, reason="stop")]
    whole = b"".join(frames)
    places = [0, *sorted(cuts), len(whole)]
    some = [whole[start:end] for start, end in itertools.pairwise(places)]
    each_byte = [whole[place : place + 1] for place in range(len(whole))]
    parsed = answered(each_byte)
    assert answered(frames) == parsed
    assert answered([whole]) == parsed
    assert answered(some) == parsed
