"""Tests that relayed bytes are the engine's own (rows 40, 41, 51), with chunk boundaries at every position."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, COMPLETIONS, TOOL, USER, Rig, comments_of, pieces, plain

pytestmark = pytest.mark.anyio

USAGE = b'data: {"choices":[],"usage":{"completion_tokens":3,"prompt_tokens":7,"total_tokens":10},"object":"c"}\n\n'
PROGRESS = b'data: {"choices":[{"index":0,"delta":{}}],"prompt_progress":{"total":9,"cache":0,"processed":9}}\n\n'
WORDS = (
    'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"id":"chatcmpl-1"}\n\n'
    'data: {"id" : "chatcmpl-1",  "choices":[{"delta":{"content":"Grüße 日本 \U0001f999"},"index":0}]}\n\n'
    'data: {"choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n'
).encode()
CALL = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function",'
    b'"function":{"name":"get_weather","arguments":"{"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
    b'"function":{"arguments":"\\"city\\":\\"\xc3\x85l\\"}"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"finish_reason":"tool_calls","delta":{}}]}\n\n'
)
DONE = b"data: [DONE]\n\n"


def crlf(stream: bytes) -> bytes:
    return stream.replace(b"\n", b"\r\n")


def cr(stream: bytes) -> bytes:
    return stream.replace(b"\n", b"\r")


ODD = (
    b': a comment\n\nevent: message\nid: 7\nretry: 10\ndata:{"choices": [ ]}\n\n'
    b'data: {"choices":\ndata: []}\n\n\n\ndata: not json "usage" at all\n\ndata\n\n' + WORDS
)
# name: (what the engine sends, what the client gets, fields of the request)
STREAMS: dict[str, tuple[bytes, bytes, dict[str, Any]]] = {
    "words": (WORDS + DONE, WORDS + DONE, {}),
    "a call": (CALL + DONE, CALL + DONE, {"tools": [TOOL]}),
    "usage that was asked for": (
        WORDS + USAGE + DONE,
        WORDS + USAGE + DONE,
        {"stream_options": {"include_usage": True}},
    ),
    "usage that was not": (WORDS + USAGE + DONE, WORDS + DONE, {}),
    "progress that was asked for": (
        PROGRESS * 2 + WORDS + DONE,
        PROGRESS * 2 + WORDS + DONE,
        {"return_progress": True},
    ),
    "progress that was not": (PROGRESS * 2 + WORDS + DONE, WORDS + DONE, {}),
    "a call with usage and progress": (PROGRESS + CALL + USAGE + DONE, CALL + DONE, {"tools": [TOOL]}),
    "carriage returns": (crlf(PROGRESS + WORDS + USAGE + DONE), crlf(WORDS + DONE), {}),
    "carriage returns alone": (cr(PROGRESS + WORDS + USAGE + DONE), cr(WORDS + DONE), {}),
    "odd frames": (ODD + DONE, ODD + DONE, {}),
    "no DONE": (WORDS, WORDS, {}),
    "no blank line at the end": (WORDS + DONE[:-1], WORDS + DONE[:-1], {}),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_row_41_a_stream_arrives_byte_for_byte(rig: Rig, name: str, path: str) -> None:
    sent, wanted, fields = STREAMS[name]
    await rig.script(pieces(sent), path=path)
    assert await rig.stream(path, **fields) == wanted


@pytest.mark.rule("unamended")
@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_is_the_same_wherever_it_is_split(rig: Rig, name: str) -> None:
    sent, wanted, fields = STREAMS[name]
    await rig.script(*(pieces(sent[:at], sent[at:], gap_s=0.002) for at in range(1, len(sent))))
    for at in range(1, len(sent)):
        assert await rig.stream(**fields) == wanted, (
            f"split at {at}: {sent[max(0, at - 20) : at]} | {sent[at : at + 20]}"
        )


@pytest.mark.rule("unamended")
@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_is_the_same_byte_by_byte(rig: Rig, name: str) -> None:
    sent, wanted, fields = STREAMS[name]
    await rig.script(pieces(*(sent[at : at + 1] for at in range(len(sent))), gap_s=0.0003))
    assert await rig.stream(**fields) == wanted


async def test_frames_reach_the_client_as_they_come(rig: Rig) -> None:
    """The engine falls silent after the first words; they must not wait for what never comes."""
    await rig.script({**pieces(WORDS), "end": "stall"})
    body = json.dumps({"messages": [USER], "stream": True}).encode()
    got = b""
    async with rig.http.stream("POST", CHAT, content=body) as response:
        async for data in response.aiter_raw():
            got += data
            if len(got) >= len(WORDS):
                break
    assert got == WORDS


async def test_a_frame_of_megabytes_passes(rig: Rig) -> None:
    frame = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * (3 * 2**20) + b'"}}]}\n\n'
    await rig.script(pieces(WORDS, frame, DONE))
    assert await rig.stream() == WORDS + frame + DONE


async def test_many_frames_pass_at_once(rig: Rig) -> None:
    stream = WORDS * 2000 + DONE
    await rig.script(pieces(*(stream[at : at + 10007] for at in range(0, len(stream), 10007))))
    assert await rig.stream() == stream


BODIES = {
    "key order and spaces": b'{ "z" : 1 ,\r\n\t"a":{"choices" : [ ]}, "usage":null}',
    "unicode": '{"choices":[{"message":{"content":"日本 \U0001f999 \u2028 \\u00e9"}}]}'.encode(),
    "numbers": b'{"n": 1.0, "big": 123456789012345678901234567890, "e": 1E-2, "dup": 1, "dup": 2}',
    "not utf-8": b'{"text": "\xff\xfe"}',
    "not json": b"hello",
    "empty": b"",
    "progress in a body": b'{"choices":[],"prompt_progress":{"total":1}}',
    "large": b'{"text":"' + b"0123456789" * 300_000 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_row_40_a_body_arrives_byte_for_byte(rig: Rig, name: str, path: str, framing: Any) -> None:
    body = BODIES[name]
    answer: Answer = plain(body)
    if framing == "chunked":
        answer = {**pieces(body[:9], body[9:]), "headers": [("Content-Type", "application/json; charset=utf-8")]}
    await rig.script(answer, path=path)
    response = await rig.post({"messages": [USER], "prompt": "x"}, path)
    assert response.status_code == 200
    assert response.content == body
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["content-length"] == str(len(body))


async def test_row_40_a_body_with_a_call_arrives_byte_for_byte(rig: Rig) -> None:
    body = (
        b'{"choices":[{"finish_reason":"tool_calls","message":{"tool_calls":[{"id":"c","function":'
        b'{"name":"f","arguments":"{\\"a\\" : 1}"}}, {"id":"d","function":{"name":"g","arguments":""}}]}}]}'
    )
    await rig.script(plain(body))
    assert (await rig.chat(tools=[TOOL])).content == body


CUT_BODY = (
    b'{"choices":[{"finish_reason" : "%s","index":0,"message":{"content":null,"tool_calls":[{"id":"c","function":'
    b'{"name":"f","arguments":"{\\"city\\": \\"Osl"}}]}}]}'
)
CUT_CALL = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c",'
    b'"function":{"name":"f","arguments":"{"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
    b'"function":{"arguments":"\\"city\\": \\"Osl"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"finish_reason":"%s","delta":{}}]}\n\n'
)


@pytest.mark.rule("calls-cut")
async def test_a_call_that_the_token_limit_cut_is_reported_as_length(rig: Rig) -> None:
    await rig.script(plain(CUT_BODY % b"tool_calls"))
    assert (await rig.chat(tools=[TOOL])).content == CUT_BODY % b"length"


@pytest.mark.rule("calls-cut")
async def test_a_forced_call_whose_name_was_cut_says_nothing(rig: Rig) -> None:
    body = b'{"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"get_w"}}]}'
    await rig.script(plain(body), plain(body))
    forced = await rig.chat(tools=[TOOL], tool_choice="required")
    assert forced.content == body.replace(b"get_w", b"")
    assert forced.headers["x-paddock-amended"] == "content: the call's name was cut"
    free = await rig.chat(tools=[TOOL])
    assert free.content == body


@pytest.mark.rule("amend-cut")
async def test_a_streamed_call_that_was_cut_is_length_wherever_it_is_split(rig: Rig) -> None:
    sent, wanted = CUT_CALL % b"tool_calls" + DONE, CUT_CALL % b"length" + DONE
    await rig.script(*(pieces(sent[:at], sent[at:], gap_s=0.002) for at in range(1, len(sent), 7)))
    for _ in range(1, len(sent), 7):
        got = await rig.stream(tools=[TOOL])
        assert got.startswith(wanted)
        rest = got[len(wanted) :]
        assert len(comments_of(rest)) == 1
        assert rest.startswith(b":")
        assert rest.count(b"\n") == 2


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_row_51_a_stream_is_not_cached_nor_held_back(rig: Rig, path: str) -> None:
    response = await rig.post({"messages": [USER], "prompt": "x", "stream": True}, path)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["connection"] == "keep-alive"
    assert response.headers["x-accel-buffering"] == "no"


async def test_the_connection_serves_the_next_request_after_a_stream(rig: Rig) -> None:
    await rig.stream()
    before = (await rig.engine.record())["all_connections"]
    for _ in range(5):
        await rig.stream()
        await rig.chat()
    assert (await rig.engine.record())["all_connections"] - before <= 1


async def test_streams_side_by_side_do_not_mix(rig: Rig) -> None:
    import anyio

    streams = {f"s{n}": WORDS.replace(b"chatcmpl-1", b"chatcmpl-s%d" % n) + DONE for n in range(20)}
    await rig.script(*(pieces(*(s[at : at + 5] for at in range(0, len(s), 5)), gap_s=0.001) for s in streams.values()))
    got: list[bytes] = []

    async def one() -> None:
        got.append(await rig.stream())

    async with anyio.create_task_group() as group:
        for _ in streams:
            group.start_soon(one)
    assert sorted(got) == sorted(streams.values())
