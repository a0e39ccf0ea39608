"""Tests the Responses routes over real sockets: stored, continued, in the background, replayed, cancelled, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from tests.wire.rig import CHAT, HANG_GUARD_S, Rig, body_of, refusal, scripted_studio

pytestmark = pytest.mark.anyio
PATH = "/v1/responses"
Json = dict[str, Any]


def sdk(rig: Rig) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{rig.studio.url}/v1", api_key="any", max_retries=0)


async def made(rig: Rig, **fields: Any) -> Json:
    response = await rig.post({"model": "pocket-v0", "input": "Hello", **fields}, PATH)
    assert response.status_code == 200, response.text
    return response.json()


async def until_over(rig: Rig, response_id: str) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while (found := (await rig.http.get(f"{PATH}/{response_id}")).json())["status"] in ("queued", "in_progress"):
            await anyio.sleep(0.01)
    return found


def events_of(stream: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]


@pytest.mark.rule("responses-continued")
async def test_a_response_is_found_again_with_its_items_until_it_is_deleted(rig: Rig) -> None:
    first = await made(rig)
    assert (await rig.http.get(f"{PATH}/{first['id']}")).json()["output"] == first["output"]
    items = (await rig.http.get(f"{PATH}/{first['id']}/input_items")).json()
    assert items["data"][0]["content"][0]["text"] == "Hello"
    assert (await rig.http.delete(f"{PATH}/{first['id']}")).json()["deleted"] is True
    gone = await rig.http.get(f"{PATH}/{first['id']}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "response_not_found")
    assert (await rig.http.delete(f"{PATH}/{first['id']}")).status_code == 404


@pytest.mark.rule("responses-continued")
async def test_a_response_that_is_not_to_be_stored_is_not(rig: Rig) -> None:
    first = await made(rig, store=False)
    assert (await rig.http.get(f"{PATH}/{first['id']}")).status_code == 404


@pytest.mark.rule("responses-continued")
async def test_a_conversation_goes_on_from_the_response_before(rig: Rig) -> None:
    first = await made(rig, instructions="Be brief.")
    second = await made(rig, previous_response_id=first["id"], input="And again?")
    await made(rig, previous_response_id=second["id"], input="And again?")
    messages = body_of((await rig.engine.seen(CHAT))[-1])["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[0]["content"] == "Hello"


async def test_a_conversation_cannot_go_on_from_nowhere(rig: Rig) -> None:
    response = await rig.post({"input": "x", "previous_response_id": "resp_none"}, PATH)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "response_not_found")
    assert await rig.engine.seen(CHAT) == []


@pytest.mark.rule("responses-background")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_background_response_goes_on_without_its_client_and_is_replayed(rig: Rig, stream: bool) -> None:
    if stream:
        raw = (await rig.post({"input": "Hello", "background": True, "stream": True}, PATH)).content
        told = events_of(raw)
        response_id = told[0]["response"]["id"]
        assert [event["type"] for event in told[:3]] == ["response.created", "response.queued", "response.in_progress"]
    else:
        begun = await made(rig, background=True)
        assert begun["status"] == "queued"
        response_id = begun["id"]
    done = await until_over(rig, response_id)
    assert (done["status"], done["background"]) == ("completed", True)
    replay = events_of((await rig.http.get(f"{PATH}/{response_id}?stream=true")).content)
    assert [event["sequence_number"] for event in replay] == list(range(len(replay)))
    assert replay[-1]["response"]["output"] == done["output"]
    rest = events_of((await rig.http.get(f"{PATH}/{response_id}?stream=true&starting_after=2")).content)
    assert rest == replay[3:]


@pytest.mark.rule("responses-background")
async def test_a_background_response_is_cancelled_and_the_engine_is_left(rig: Rig) -> None:
    await rig.script({"generate": {"chunks": 100_000, "per_s": 50}})
    begun = await made(rig, background=True)
    await rig.engine.until(lambda record: record["requests"])
    cancelled = (await rig.post({}, f"{PATH}/{begun['id']}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    await rig.engine.until(lambda record: record["requests"][-1]["closed_s"] is not None)
    assert (await rig.http.get(f"{PATH}/{begun['id']}")).json()["status"] == "cancelled"


async def test_a_background_response_that_is_refused_is_failed(rig: Rig) -> None:
    await rig.script(refusal(400, "too long", "exceed_context_size_error", n_prompt_tokens=9000, n_ctx=4096))
    done = await until_over(rig, (await made(rig, background=True))["id"])
    assert (done["status"], done["error"]["code"]) == ("failed", "context_length_exceeded")


async def test_what_was_stored_survives_a_restart_and_what_was_cut_off_is_failed(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        kept = await made(rig)
        await rig.script({"generate": {"chunks": 100_000, "per_s": 50}})
        cut = await made(rig, background=True)
    async with scripted_studio(tmp_path) as rig:
        assert (await rig.http.get(f"{PATH}/{kept['id']}")).json()["status"] == "completed"
        assert (await rig.http.get(f"{PATH}/{cut['id']}")).json()["status"] == "failed"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input": ""}, 422), ({"input": 3}, 422), ({"input": [1]}, 422), ({"conversation": "c"}, 400),
        ({"prompt": {"id": "p"}}, 400), ({"store": False, "background": True}, 400), ({"stream": "yes"}, 422),
        ({"input": [{"type": "message", "role": "odd", "content": "x"}]}, 422),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, 400),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_refused_by_name(rig: Rig, fields: Json, status: int) -> None:
    response = await rig.post({"input": "x", **fields}, PATH)
    assert response.status_code == status, response.text
    assert next(iter(fields)) in str(response.json()["error"]["param"])
    assert await rig.engine.seen(CHAT) == []


@pytest.mark.parametrize("query", ["starting_after=x", "starting_after=9999999999999999999"])
async def test_a_number_that_is_none_is_refused(rig: Rig, query: str) -> None:
    first = await made(rig, background=True)
    assert (await rig.http.get(f"{PATH}/{first['id']}?stream=true&{query}")).status_code == 400


async def test_the_sdk_reads_what_is_streamed_and_raises_its_own_errors(rig: Rig) -> None:
    async with sdk(rig) as client:
        async with client.responses.stream(model="pocket-v0", input="Hello") as stream:
            final = await stream.get_final_response()
        assert final.output_text
        assert final.usage
        assert final.usage.total_tokens > 0
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve("resp_none")
