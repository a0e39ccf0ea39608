"""Tests the engine's own routes as paddock offers them, and the routes of others that it says are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.rig import Rig, body_of, pieces, plain, refusal

pytestmark = pytest.mark.anyio
INFILL = {"input_prefix": "def a(", "input_suffix": "    return 1"}
FRAMES = (b'data: {"content":"x"}\n\n', b'data: {"content":"):","stop":true}\n\n')


@pytest.mark.rule("also-engine-routes")
@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "content"), ("/detokenize", {"tokens": "x"}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/apply-template", {}, "messages"), ("/infill", {"input_prefix": "x"}, "input_suffix"),
        ("/v1/rerank", {"documents": ["x"]}, "query"), ("/v1/rerank", {"query": "x", "documents": ["x"]}, "model"),
    ],
)  # fmt: skip
async def test_the_engines_own_routes_name_what_they_lack(rig: Rig, path: str, body: Any, param: str) -> None:
    response = await rig.post(body, path)
    assert response.status_code in (400, 422)
    assert param in response.json()["error"]["param"]


@pytest.mark.rule("also-engine-routes")
async def test_infill_is_answered_with_the_engines_bytes(rig: Rig) -> None:
    answer = b'{"content": "x):\\n",  "stop":true, "tokens_predicted":3}'
    await rig.script(plain(answer), path="/infill")
    response = await rig.post({**INFILL, "input_extra": [{"text": "a"}], "n_predict": 3}, "/infill")
    assert (response.status_code, response.content) == (200, answer)
    asked = body_of((await rig.engine.seen("/infill"))[-1])
    assert asked == {**INFILL, "input_extra": [{"text": "a"}], "n_predict": 3}


@pytest.mark.rule("also-engine-routes")
async def test_a_streamed_infill_is_relayed_byte_for_byte(rig: Rig) -> None:
    await rig.script(pieces(*FRAMES), path="/infill")
    response = await rig.post({**INFILL, "stream": True}, "/infill")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == b"".join(FRAMES)


@pytest.mark.rule("also-engine-routes")
async def test_a_model_without_marks_for_infill_is_refused_in_the_engines_words(rig: Rig) -> None:
    await rig.script(refusal(501, "Infill is not supported by this model", "not_supported_error"), path="/infill")
    response = await rig.post(INFILL, "/infill")
    assert (response.status_code, response.json()["error"]["message"]) == (501, "Infill is not supported by this model")


@pytest.mark.rule("also-engine-routes")
async def test_a_token_beyond_the_vocabulary_is_named_and_the_engine_not_asked(rig: Rig) -> None:
    """The scripted engine says that it has 2048."""
    await rig.script(plain(b'{"content":"a"}'), path="/detokenize")
    assert (await rig.post({"tokens": [0, 2047]}, "/detokenize")).json() == {"content": "a"}
    assert (await rig.post({"tokens": []}, "/detokenize")).status_code == 200
    for tokens, place in (([2048], 0), ([1, 4096, 9999], 1)):
        response = await rig.post({"tokens": tokens}, "/detokenize")
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, "tokens")
        assert f"tokens.{place}: {tokens[place]} is no token" in error["message"]
        assert "ends at 2047" in error["message"]
    assert len(await rig.engine.seen("/detokenize")) == 2


@pytest.mark.rule("audio")
@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/audio/speech"])
@pytest.mark.parametrize("body", [b"", b"--x\r\nnot JSON\r\n--x--", b'{"model": "x", "input": "Hello"}'])
async def test_audio_is_a_400_that_says_so(rig: Rig, path: str, body: bytes) -> None:
    response = await rig.post(body, path)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith("Audio is not supported")
    assert (await rig.engine.record())["requests"] == []


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/moderations"])
async def test_what_no_model_here_does_is_a_400_that_says_so(rig: Rig, path: str) -> None:
    response = await rig.post({"input": "x"}, path)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
