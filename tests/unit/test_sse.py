"""Tests that a stream passes unchanged but for the documented amendments, however its bytes are cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.protocol.sse import StreamFilter, comment, cut_call_repaired, cut_name_removed

Json = dict[str, Any]

LINE_ENDS = (b"\n", b"\r\n", b"\r")
DONE = b"data: [DONE]"
SAID = "x-paddock-amended"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame without its line ends, and what it is."""

    lines: tuple[bytes, ...]
    kind: str = "plain"

    def ended(self, line_end: bytes) -> bytes:
        return line_end.join(self.lines) + 2 * line_end


def data(content: Json, kind: str = "plain", **dumps: Any) -> Frame:
    return Frame(lines=(b"data: " + json.dumps(content, ensure_ascii=False, **dumps).encode(),), kind=kind)


def chunk(delta: Json, finish: str | None = None, index: int = 0, **fields: Any) -> Json:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}], "object": "chunk", **fields}


def call_delta(arguments: str, at: int = 0, index: int = 0, name: str | None = None) -> Json:
    function: Json = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": at, "function": function}]}, index=index)


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
PROGRESS = {"total": 9, "cache": 0, "processed": 4, "time_ms": 1}
WORDS = [
    data(chunk({"role": "assistant", "content": None})),
    data(chunk({"content": "Zürich \u2028 \U0001f999 你好"})),
    data(chunk({"content": 'said {"usage": {"x": 1}, "choices": []}'})),
    data(chunk({"content": '"finish_reason": "tool_calls" and "prompt_progress"'}), separators=(",", ":")),
    data(chunk({"content": "x"}, usage=None)),
    data(chunk({"content": "x"}, usage=USAGE)),
    data(chunk({}, "stop")),
    data({"choices": [], "object": "chunk"}),
    data({"choices": [], "usage": None}),
    data({"error": {"message": "broke", "usage": 1}}),
    Frame(lines=(b": keep-alive",)),
    Frame(lines=(b":",)),
    Frame(lines=(b"event: message", b"id: 7", b'data: {"usage": ', b'data: "two lines"}')),
    Frame(lines=(b'data: {"usage": broken',)),
    Frame(lines=(b"data:",)),
    Frame(lines=(b"data: \xff\xfe not UTF-8",)),
    Frame(lines=(DONE,)),
]
MARKED = [
    data({"choices": [], "usage": USAGE}, "usage"),
    data({"usage": USAGE, "timings": {"n": 1}, "choices": []}, "usage", separators=(",", ":")),
    Frame(lines=(b": note", b'data: {"choices": [],', b'data: "usage": {"total_tokens": 5}}'), kind="usage"),
    data(chunk({"role": "assistant", "content": None}, prompt_progress=PROGRESS), "progress"),
    data({"content": "", "prompt_progress": PROGRESS}, "progress", separators=(",", ":")),
]
frames = st.lists(st.sampled_from(WORDS + MARKED), max_size=7)
quick = settings(max_examples=60, deadline=None)


def joined(parts: Iterable[Frame], line_end: bytes = b"\n") -> bytes:
    return b"".join(part.ended(line_end) for part in parts)


def passed(pieces: Iterable[bytes], filtered: StreamFilter) -> bytes:
    return b"".join([*(filtered.feed(piece) for piece in pieces), filtered.finish()])


def cut_at(whole: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


def fresh(*, usage: bool = False, progress: bool = False, calls: bool = False) -> StreamFilter:
    return StreamFilter(keep_usage=usage, keep_progress=progress, watch_calls=calls)


@pytest.mark.rule("amend-usage")
@given(
    parts=frames,
    ends=st.lists(st.sampled_from(LINE_ENDS), min_size=7, max_size=7),
    places=st.lists(st.integers(0, 4000), max_size=12),
    usage=st.booleans(),
    progress=st.booleans(),
    rest=st.sampled_from([b"", b"data: {", b'data: {"choices": [{"delta": {"content": "\xe4\xbd', b": un"]),
)
@quick
def test_only_what_the_client_did_not_ask_for_is_missing_wherever_the_stream_is_cut(
    parts: list[Frame], ends: list[bytes], places: list[int], usage: bool, progress: bool, rest: bytes
) -> None:
    ended = [(part, part.ended(end)) for part, end in zip(parts, ends, strict=False)]
    gone = {kind for kind, kept in (("usage", usage), ("progress", progress)) if not kept}
    wanted = b"".join(text for part, text in ended if part.kind not in gone) + rest
    whole = b"".join(text for _, text in ended) + rest
    assert passed(cut_at(whole, places), fresh(usage=usage, progress=progress)) == wanted


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=["lf", "crlf", "cr"])
def test_a_cut_at_every_place_and_a_byte_at_a_time_give_the_same(line_end: bytes) -> None:
    words = [WORDS[1], WORDS[3], WORDS[10], WORDS[12]]
    whole = joined([*words[:2], *MARKED, *words[2:]], line_end)
    wanted = joined(words, line_end)
    for place in range(len(whole) + 1):
        assert passed([whole[:place], whole[place:]], fresh()) == wanted, place
    assert passed([whole[i : i + 1] for i in range(len(whole))], fresh()) == wanted


@given(whole=st.binary(max_size=60), places=st.lists(st.integers(0, 60), max_size=8))
@quick
def test_bytes_that_are_no_stream_at_all_pass_unchanged(whole: bytes, places: list[int]) -> None:
    assert passed(cut_at(whole, places), fresh(calls=True)) == whole


@pytest.mark.rule("unamended")
@given(
    pieces=st.lists(st.sampled_from([b"\n", b"\r", b"data: 1", b": x", *(part.lines[0] for part in MARKED)])),
    places=st.lists(st.integers(0, 900), max_size=8),
)
@quick
def test_with_everything_kept_any_bytes_pass_unchanged(pieces: list[bytes], places: list[int]) -> None:
    whole = b"".join(pieces)
    assert passed(cut_at(whole, places), fresh(usage=True, progress=True, calls=True)) == whole


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=["lf", "crlf", "cr"])
def test_blank_lines_before_a_frame_that_is_removed_stay_wherever_the_stream_is_cut(line_end: bytes) -> None:
    whole = WORDS[0].ended(line_end) + line_end + MARKED[0].ended(line_end) + Frame(lines=(DONE,)).ended(line_end)
    wanted = WORDS[0].ended(line_end) + line_end + Frame(lines=(DONE,)).ended(line_end)
    for place in range(len(whole) + 1):
        assert passed([whole[:place], whole[place:]], fresh()) == wanted, place


@given(parts=frames, places=st.lists(st.integers(0, 4000), max_size=12))
@quick
def test_a_client_never_gets_half_a_frame_while_the_stream_goes_on(parts: list[Frame], places: list[int]) -> None:
    filtered = fresh(calls=True)
    for piece in cut_at(joined(parts) + b"data: half", places):
        out = filtered.feed(piece)
        assert out == b"" or out.endswith(b"\n\n")


def test_a_frame_goes_out_with_the_bytes_that_end_it() -> None:
    filtered = fresh()
    assert filtered.feed(b"data: 1\n") == b""
    assert filtered.feed(b"\n") == b"data: 1\n\n"
    assert filtered.feed(b"data: 2\n\ndata: 3") == b"data: 2\n\n"
    assert (filtered.finish(), filtered.finish()) == (b"data: 3", b"")


def test_a_usage_frame_at_the_very_end_is_removed_although_no_blank_line_follows() -> None:
    whole = joined(WORDS) + MARKED[0].lines[0]
    assert passed([whole], fresh()) == joined(WORDS)
    assert passed([whole], fresh(usage=True)) == whole


def test_a_frame_too_large_to_hold_passes_as_it_comes() -> None:
    piece = b"data: " + b"x" * (3 * 2**20)
    filtered = fresh()
    given_back = [filtered.feed(piece) for _ in range(4)]
    assert given_back == [b"", b"", piece * 3, b""]
    assert filtered.finish() == piece


def calls(*arguments: str, finish: str = "tool_calls", spaced: bool = True) -> list[Frame]:
    """A stream with one call for each text of arguments, in deltas of three characters."""
    dumps: Json = {} if spaced else {"separators": (",", ":")}
    deltas = [
        data(call_delta(text[start : start + 3], at, name=None if start else "add"), **dumps)
        for at, text in enumerate(arguments)
        for start in range(0, max(1, len(text)), 3)
    ]
    return [WORDS[0], *deltas, data(chunk({}, finish), **dumps), MARKED[0], Frame(lines=(DONE,))]


WHOLE_CALLS: dict[str, Sequence[str]] = {
    "one": ['{"city": "Zürich", "at": [1, 2]}'],
    "two": ['{"a": 1}', '{"b": "x"}'],
    "no arguments": [""],
    "an empty object": ["{}"],
    "one without arguments beside one with": ["", '{"a": 1}'],
    "no object": ["5"],
}
CUT_CALLS: dict[str, Sequence[str]] = {
    "one": ['{"city": "Zür'],
    "at the start": ["{"],
    "the second of two": ['{"a": 1}', '{"b": '],
    "the first of two": ['{"a"', "{}"],
}


@pytest.mark.parametrize("name", WHOLE_CALLS)
@pytest.mark.parametrize("spaced", [True, False])
def test_a_whole_call_passes_unchanged(name: str, spaced: bool) -> None:
    whole = joined(calls(*WHOLE_CALLS[name], spaced=spaced))
    filtered = fresh(usage=True, calls=True)
    assert passed([whole], filtered) == whole
    assert filtered.amended == []


@pytest.mark.rule("amend-cut")
@pytest.mark.parametrize("name", CUT_CALLS)
@pytest.mark.parametrize("spaced", [True, False])
@given(places=st.lists(st.integers(0, 4000), max_size=8))
@settings(max_examples=8, deadline=None)
def test_a_cut_call_ends_by_length_wherever_the_stream_is_cut(name: str, spaced: bool, places: list[int]) -> None:
    whole = joined(calls(*CUT_CALLS[name], spaced=spaced))
    wanted = joined(calls(*CUT_CALLS[name], finish="length", spaced=spaced))
    filtered = fresh(usage=True, calls=True)
    assert passed(cut_at(whole, places), filtered) == wanted
    assert len(filtered.amended) == 1
    assert "length" in filtered.amended[0]


def test_a_cut_call_passes_unchanged_where_no_tools_were_sent() -> None:
    whole = joined(calls('{"a'))
    assert passed([whole], fresh(usage=True)) == whole


@pytest.mark.parametrize("finish", ["stop", "length", None])
def test_calls_that_end_otherwise_pass_unchanged(finish: Any) -> None:
    whole = joined(calls('{"a', finish=finish))
    filtered = fresh(usage=True, calls=True)
    assert passed([whole], filtered) == whole
    assert filtered.amended == []


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("one_read", [True, False])
def test_of_two_choices_only_the_cut_one_ends_by_length(first: int, one_read: bool) -> None:
    """Two answers to one request (`n: 2`) come interleaved, and one ends before the other."""
    second = 1 - first
    start = [data(call_delta('{"a": ', index=first)), data(call_delta('{"bb": ', index=second))]
    middle = [data(call_delta("1}", index=first)), data(chunk({}, "tool_calls", first))]
    whole = [*start, *middle, data(call_delta("[2]}", index=second)), data(chunk({}, "tool_calls", second))]
    cut = [*start, *middle, data(call_delta("[2", index=second)), data(chunk({}, "tool_calls", second))]
    ended = [*cut[:-1], data(chunk({}, "length", second))]
    for given_frames, wanted in ((whole, whole), (cut, ended)):
        pieces = [joined(given_frames)] if one_read else [part.ended(b"\n") for part in given_frames]
        assert passed(pieces, fresh(calls=True)) == joined(wanted)


def test_calls_of_an_odd_shape_pass_unchanged() -> None:
    odd: list[Any] = [None, 5, "x", [], {}, [None], [{"function": None}], [{"function": {"arguments": None}}], {"a": 1}]
    parts = [data(chunk({"tool_calls": value})) for value in odd]
    parts += [data({"tool_calls": 1, "choices": value}) for value in odd]
    whole = joined([*parts, data(chunk({}, "tool_calls"))])
    assert passed([whole], fresh(calls=True)) == whole


def answer(*arguments: Any, finish: str = "tool_calls", text: str | None = None) -> Json:
    """A whole answer with one choice for each text of arguments."""
    return {
        "choices": [
            {
                "index": index,
                "finish_reason": finish,
                "message": {"content": text, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": said}}]},
            }
            for index, said in enumerate(arguments)
        ],
        "usage": USAGE,
    }


@pytest.mark.rule("amend-cut")
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", " : ")])
def test_a_whole_answer_with_a_cut_call_ends_by_length_and_is_else_unchanged(separators: tuple[str, str]) -> None:
    text = 'He wrote "finish_reason": "tool_calls" \U0001f999'
    body, wanted = (
        json.dumps(answer('{"a', finish=finish, text=text), separators=separators, ensure_ascii=False).encode()
        for finish in ("tool_calls", "length")
    )
    assert cut_call_repaired(body) == wanted


@pytest.mark.parametrize("arguments", ["{}", '{"a": "x"}', "", None, 5, {"a": 1}])
def test_a_whole_answer_with_a_whole_call_is_returned_unchanged(arguments: Any) -> None:
    body = json.dumps(answer(arguments), indent=1).encode()
    assert cut_call_repaired(body) == body


def test_of_two_choices_in_a_whole_answer_only_the_cut_one_ends_by_length() -> None:
    body = answer('{"a": 1}', '{"a": ')
    wanted = answer('{"a": 1}', '{"a": ')
    wanted["choices"][1]["finish_reason"] = "length"
    assert json.loads(cut_call_repaired(json.dumps(body).encode())) == wanted


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no JSON", b"\xff", b"[]", b'"finish_reason": "tool_calls"', b'{"finish_reason": "tool_calls"}',
        b'{"choices": 5, "finish_reason":"tool_calls"}', b'{"choices": [5], "finish_reason":"tool_calls"}',
        b'{"choices": [{"finish_reason":"tool_calls"}]}',
        b'{"choices": [{"finish_reason":"tool_calls", "message": {"tool_calls": [null]}}]}',
    ],
)  # fmt: skip
def test_an_answer_of_an_odd_shape_is_returned_unchanged(body: bytes) -> None:
    assert cut_call_repaired(body) == body


def test_a_comment_is_a_whole_event() -> None:
    assert comment(f"{SAID}: ü") == f": {SAID}: ü\n\n".encode()


@pytest.mark.parametrize("piece", ["get", 'a \\"quoted\\" one', "\\u00e9\\\\"])
def test_a_piece_of_a_forced_calls_name_is_no_text_and_all_else_stays(piece: str) -> None:
    message = f'{{"content" : "{piece}","role":"assistant"}}'
    body = f'{{"choices": [ {{"finish_reason":"length","message":{message}}}],"a": "content"}}'
    assert cut_name_removed(body.encode()) == body.replace(f'"{piece}"', '""').encode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[{"message":{"content":"","tool_calls":[{"id":"a"}]}}]}',
        b'{"choices":[{"message":{"content":"text","tool_calls":[{"id":"a"}]}}]}',
        b'{"choices":[{"message":{"content":null}}]}',
        b'{"error":{"content":"x"}}',
        b"no JSON",
    ],
)
def test_an_answer_with_its_call_or_of_another_form_is_the_very_same(body: bytes) -> None:
    assert cut_name_removed(body) == body
