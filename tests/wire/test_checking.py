"""Tests what a client is told of a call that does not fit its tool's full schema, in each dialect."""

from __future__ import annotations

import pytest

from tests.wire.rig import CHAT, TOOL, USER, Json, Rig, comments_of

pytestmark = pytest.mark.anyio
LINE = 'get_weather: /city 7 is not of type "string"'


@pytest.fixture
async def unfit(rig: Rig) -> Rig:
    await rig.engine.set({"plot": [{"tool": "get_weather", "arguments": {"city": 7}}]})
    return rig


CLAUDE_TOOL: Json = {"name": "get_weather", "input_schema": TOOL["function"]["parameters"]}
FLAT_TOOL: Json = {"type": "function", **TOOL["function"]}
ASKS: list[tuple[str, Json]] = [
    (CHAT, {"messages": [USER], "tools": [TOOL]}),
    ("/v1/messages", {"model": "pocket-v0", "max_tokens": 9, "messages": [USER], "tools": [CLAUDE_TOOL]}),
    ("/v1/responses", {"input": "Hello", "tools": [FLAT_TOOL]}),
]


@pytest.mark.rule("schema-checking")
@pytest.mark.parametrize(("path", "body"), ASKS)
async def test_a_whole_answer_tells_it_in_a_header(unfit: Rig, path: str, body: Json) -> None:
    response = await unfit.post(body, path)
    assert response.status_code == 200, response.text
    assert response.headers["x-paddock-unfit"] == LINE


@pytest.mark.rule("schema-checking")
@pytest.mark.parametrize(("path", "body"), ASKS)
async def test_a_stream_tells_it_in_a_comment_at_its_end(unfit: Rig, path: str, body: Json) -> None:
    response = await unfit.post({**body, "stream": True}, path)
    assert comments_of(response.content)[-1] == f": x-paddock-unfit: {LINE}".encode()


@pytest.mark.rule("schema-checking")
async def test_a_call_is_held_to_the_clients_own_schema_not_to_the_relaxed_copy(unfit: Rig) -> None:
    strict: Json = {"type": "object", "properties": {"city": {"enum": []}}}
    tools: list[Json] = [{"type": "function", "function": {"name": "get_weather", "parameters": strict}}]
    response = await unfit.post({"messages": [USER], "tools": tools})
    assert "enum []" in response.headers["x-paddock-adapted"]
    assert response.headers["x-paddock-unfit"].startswith("get_weather: ")


async def test_a_call_that_fits_adds_nothing(rig: Rig) -> None:
    await rig.engine.set({"plot": [{"tool": "get_weather", "arguments": {"city": "Rome"}}] * 2})
    whole = await rig.post({"messages": [USER], "tools": [TOOL]})
    assert "x-paddock-unfit" not in whole.headers
    assert comments_of(await rig.stream(tools=[TOOL])) == []
