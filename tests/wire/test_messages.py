"""Tests the Messages route over real sockets: rows 60 and 61, errors, streams that open, and what Claude Code sends."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.wire.rig import CHAT, Rig, body_of, pieces, refusal, scripted_studio

pytestmark = pytest.mark.anyio
PATH = "/v1/messages"
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
ASK: dict[str, Any] = {"model": "pocket-v0", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}


def sdk(rig: Rig) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=rig.studio.url, api_key="any", max_retries=0, http_client=None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("choice", "sent"), [({"type": "auto"}, "auto"), ({"type": "any"}, "required"), ({"type": "odd"}, "auto")]
)
async def test_row_60_the_mapped_choice_reaches_the_engine(rig: Rig, stream: bool, choice: Any, sent: str) -> None:
    response = await rig.post({**ASK, "tools": [TOOL], "tool_choice": choice, "stream": stream}, PATH)
    assert response.status_code == 200, response.text
    assert body_of((await rig.engine.seen(CHAT))[-1])["tool_choice"] == sent


async def test_row_61_nothing_is_said_of_an_ignored_choice(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await rig.post({**ASK, "tools": [TOOL], "tool_choice": {"type": "any"}}, PATH)
    assert "ignored" not in caplog.text


@pytest.mark.rule("error-body")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"), ({"messages": []}, "messages"), ({"system": 1}, "system"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"thinking": {"type": "odd"}}, "thinking"), ({"tools": [{"name": "x"}]}, "input_schema"),
        ({"stream": "yes"}, "stream"),
    ],
)  # fmt: skip
async def test_a_broken_rule_is_a_400_that_names_the_field(rig: Rig, fields: dict[str, Any], param: str) -> None:
    response = await rig.post({**ASK, **fields}, PATH)
    error = response.json()
    assert (response.status_code, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert param in error["error"]["message"]
    assert response.headers["request-id"] == response.headers["x-request-id"]
    assert await rig.engine.seen(CHAT) == []


@pytest.mark.rule("error-overflow")
async def test_an_overflow_is_told_in_the_words_that_clients_look_for(rig: Rig) -> None:
    more = {"n_prompt_tokens": 70494, "n_ctx": 67584}
    await rig.script(refusal(400, "too long", "exceed_context_size_error", **more))
    response = await rig.post(ASK, PATH)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "prompt is too long: 70494 tokens > 67584 maximum"


@pytest.mark.rule("error-unknown-path")
@pytest.mark.parametrize("path", ["/v1/messages/odd", "/v1/messages/count_tokens/odd"])
async def test_an_unknown_path_is_a_404_in_the_dialect(rig: Rig, path: str) -> None:
    response = await rig.post({}, path)
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")


async def test_an_engine_that_breaks_off_ends_the_stream_with_an_error_event(rig: Rig) -> None:
    frame = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
    await rig.script({**pieces(frame), "end": "reset"})
    stream = (await rig.post({**ASK, "stream": True}, PATH)).content.decode()
    assert stream.rstrip().splitlines()[-2] == "event: error"
    assert json.loads(stream.rstrip().splitlines()[-1][6:])["error"]["type"] == "api_error"
    assert "message_stop" not in stream


@pytest.mark.rule("messages-ping", "opens-cold")
async def test_a_cold_model_opens_the_stream_at_once_and_keeps_it_alive_with_pings(tmp_path: Path) -> None:
    script: Any = {"starts": [{"delay_s": 0.4}]}
    async with scripted_studio(tmp_path, script=script, warm=False, keepalive_s=0.05) as rig:
        stream = (await rig.post({**ASK, "stream": True}, PATH)).content.decode()
    assert stream.startswith("event: message_start")
    assert stream.count("event: ping") >= 3
    assert stream.rstrip().endswith('{"type": "message_stop"}')


@pytest.mark.rule("error-shapes")
async def test_the_errors_are_the_sdks_own_classes(rig: Rig) -> None:
    async with sdk(rig) as client:
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(model="nope", max_tokens=5, messages=[{"role": "user", "content": "x"}])
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.create(model="pocket-v0", max_tokens=0, messages=[{"role": "user", "content": "x"}])


@pytest.mark.rule("messages-count")
async def test_a_count_is_the_engines_own(rig: Rig) -> None:
    response = await rig.post(
        {"model": "pocket-v0", "messages": [{"role": "user", "content": "one two three"}]}, f"{PATH}/count_tokens"
    )
    assert response.status_code == 200, response.text
    assert response.json()["input_tokens"] > 0
