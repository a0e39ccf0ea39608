"""Tests a call that leaks as text on its way through paddock: healed and told, or left alone where that is asked."""

from __future__ import annotations

import json

import pytest

from tests.shapes.responses_streams import says, stream, whole_of
from tests.wire.rig import TOOL, Rig, comments_of, pieces, plain

pytestmark = pytest.mark.anyio
LEAK = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
DELTAS = [says(piece) for piece in (LEAK[:5], LEAK[5:40], LEAK[40:])]


@pytest.mark.rule("healing", "amend-healed")
async def test_a_leaked_call_is_a_call_whole_and_streamed_and_that_is_told(rig: Rig) -> None:
    await rig.script(plain(whole_of(DELTAS)), pieces(stream(DELTAS)))
    whole = await rig.chat(tools=[TOOL])
    choice = whole.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}
    assert whole.headers["x-paddock-amended"] == "healed: get_weather"
    streamed = await rig.stream(tools=[TOOL])
    assert b'"tool_calls"' in streamed
    assert b"<tool_call>" not in streamed
    assert comments_of(streamed) == [b": x-paddock-amended: healed: get_weather"]


@pytest.mark.rule("answer-one-call")
async def test_a_second_call_is_left_out_where_the_request_wants_one_and_that_is_told(rig: Rig) -> None:
    deltas = [says(f"{LEAK}\n{LEAK}")]
    await rig.script(plain(whole_of(deltas)), pieces(stream(deltas)))
    whole = await rig.chat(tools=[TOOL], parallel_tool_calls=False)
    assert len(whole.json()["choices"][0]["message"]["tool_calls"]) == 1
    told = "parallel_tool_calls false: 1 further call left out"
    assert told in whole.headers["x-paddock-amended"]
    streamed = await rig.stream(tools=[TOOL], parallel_tool_calls=False)
    assert streamed.count(b'"get_weather"') == 1
    assert comments_of(streamed)[-1] == f": x-paddock-amended: {told}".encode()
    both = await rig.chat(tools=[TOOL])
    assert len(both.json()["choices"][0]["message"]["tool_calls"]) == 2


@pytest.mark.rule("healing")
async def test_where_healing_is_turned_off_every_byte_stays(rig: Rig) -> None:
    body, frames = whole_of(DELTAS), stream(DELTAS)
    await rig.script(plain(body), pieces(frames))
    whole = await rig.chat(tools=[TOOL], heal=False)
    assert whole.content == body
    assert "x-paddock-amended" not in whole.headers
    assert await rig.stream(tools=[TOOL], heal=False, stream_options={"include_usage": True}) == frames
