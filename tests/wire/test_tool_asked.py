"""Tests asking a person before a tool is called: in the page's chats, in each dialect, and who may answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.shapes.responses_streams import calls, says
from tests.wire.asking import (
    ASKS,
    FILES,
    NAMES,
    PERMISSIONS,
    answered,
    calling,
    decided,
    made,
    results,
    streaming,
    turn,
    waiting,
    writing,
)
from tests.wire.chatting import ask, asked, say, sent, settled
from tests.wire.rig import CHAT, HANG_GUARD_S, TOOL, USER, Json, Rig, data_of, scripted_studio
from tests.wire.test_accounts import USERS, enrolled, page_of

pytestmark = pytest.mark.anyio
SUM = '{"expression": "23 * 19"}'


@pytest.fixture
async def fresh(rig: Rig) -> AsyncGenerator[Rig]:
    """Paddock where nothing is decided."""
    await decided(rig.http, **dict.fromkeys(NAMES))
    yield rig
    await decided(rig.http, **dict.fromkeys(NAMES))


def keyed(rig: Rig, key: str) -> httpx.AsyncClient:
    """A program that shows a key."""
    return httpx.AsyncClient(base_url=rig.studio.url, headers={"authorization": f"Bearer {key}"}, timeout=HANG_GUARD_S)


async def test_the_page_asks_and_the_answer_outlives_whoever_watches(fresh: Rig) -> None:
    await fresh.script(calling(says("I write."), writing()), turn(says("Written.")))
    chat_id, told = await asked(fresh, settings={"tools": ["files"]})
    (one,) = await waiting(fresh.http, session_id=chat_id)
    assert one["expires_in_s"] == 3600
    assert await waiting(fresh.http, 0, session_id="another") == []
    assert (await answered(fresh.http, one["id"], "chat")).status_code == 200
    whole = await settled(fresh, told["message"])
    assert [part["type"] for part in whole["content"]] == ["text", "tool_call", "tool_result", "text"]
    raw = (await fresh.http.get(f"/v1/responses/{told['response_id']}?stream=true")).text
    kinds = [line.removeprefix("event: ") for line in raw.splitlines() if line.startswith("event: response.mcp")]
    assert kinds == [
        "response.mcp_call.in_progress", "response.mcp_call_arguments.done", "response.mcp_call.approval.requested",
        "response.mcp_call.approval.answered", "response.mcp_call.completed",
    ]  # fmt: skip
    # In this chat nobody is asked again.
    await fresh.script(calling(writing("b.txt")), turn(says("Again.")))
    again = await ask(
        fresh, chat_id, await say(fresh, chat_id, "Again", told["message"]["id"]), settings={"tools": ["files"]}
    )
    assert (await settled(fresh, again["message"]))["status"] == "complete"
    assert {one["session_id"] for one in await made(fresh.http, session_id=chat_id)} == {chat_id}
    assert [one["allowed"] for one in await made(fresh.http, session_id=chat_id)] == ["chat", "chat"]


async def test_extras_of_a_chat_cannot_let_what_the_page_would_ask(fresh: Rig) -> None:
    extra = {"enable_tools": True, "enabled_tools": ["files"], "tool_permissions": {"*": "always"}}
    await fresh.script(calling(writing()), turn(says("Written.")))
    _, told = await asked(fresh, settings={"extra": extra})
    (one,) = await waiting(fresh.http)
    await answered(fresh.http, one["id"], "no")
    await settled(fresh, told["message"])


async def test_a_chat_that_is_stopped_ends_the_question(fresh: Rig) -> None:
    await fresh.script(calling(writing()), turn(says("Never.")))
    _, told = await asked(fresh, settings={"tools": ["files"]})
    (one,) = await waiting(fresh.http)
    await sent(fresh, "POST", f"/v1/responses/{told['response_id']}/cancel")
    assert (await settled(fresh, told["message"]))["status"] == "stopped"
    assert (await answered(fresh.http, one["id"], "once")).status_code == 404


async def test_a_paddock_that_ends_while_a_call_waits_asks_anew(tmp_path: Path) -> None:
    answers = [calling(writing()), turn(says("Written."))]
    async with scripted_studio(tmp_path, script={"routes": {CHAT: answers}}, warm=False) as rig:
        chat_id, told = await asked(rig, settings={"tools": ["files"]})
        (first,) = await waiting(rig.http)
    async with scripted_studio(tmp_path, script={"routes": {CHAT: answers}}, warm=False) as rig:
        (again,) = await waiting(rig.http, session_id=chat_id)
        assert (again["arguments"], again["id"] != first["id"]) == (first["arguments"], True)
        assert (await answered(rig.http, first["id"], "once")).status_code == 404
        assert (await answered(rig.http, again["id"], "once")).status_code == 200
        assert (await settled(rig, told["message"]))["status"] == "complete"
        assert [(one["allowed"], one["outcome"]) for one in await made(rig.http)] == [
            ("once", "done"), ("ask", "cancelled"),
        ]  # fmt: skip


async def test_nobody_else_answers_reads_or_decides_and_all_of_it_goes_with_the_account(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user", eve="user")
    script: Any = {
        "routes": {CHAT: [calling(writing()), turn(says("Written.")), calling(writing()), turn(says("No."))]}
    }
    async with (
        scripted_studio(tmp_path, script=script, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna, page_of(rig, "ben") as ben, page_of(rig, "eve") as eve,
    ):  # fmt: skip
        bens = Rig(studio=rig.studio, http=ben)
        await decided(eve, write_file="always")
        chat_id, told = await asked(bens, settings={"tools": ["files"]})
        (one,) = await waiting(ben)
        key = (await ben.post("/api/keys", json={"name": "k", "may": ["ask", "tools"]})).json()["key"]
        async with keyed(rig, key) as program:
            for other in (anna, eve, program):
                assert await waiting(other, 0) == []
                assert (await answered(other, one["id"], "always")).status_code == 404
        # A mere key for asking has nothing to do with tools.
        asks = (await ben.post("/api/keys", json={"name": "k"})).json()["key"]
        async with keyed(rig, asks) as program:
            assert (await answered(program, one["id"], "always")).status_code == 403
        assert (await answered(ben, one["id"], "always")).status_code == 200
        assert (await settled(bens, told["message"]))["status"] == "complete"
        assert (await eve.get(PERMISSIONS)).json()["permissions"] == {"write_file": "always"}
        assert (await ben.get(PERMISSIONS)).json()["permissions"] == {"write_file": "always"}
        assert (await anna.get(PERMISSIONS)).json()["permissions"] == {}
        assert await made(eve) == []
        assert [(call["who"], call["session_id"]) for call in await made(ben)] == [("ben", chat_id)]
        assert await made(anna) == await made(ben)
        # What an account lets is not what its keys let, and what it forbids is.
        await decided(ben, write_file="never")
        async with keyed(rig, key) as program:
            answer = (await program.post(CHAT, json={"messages": [USER], **FILES})).json()
            assert "there is no tool" in answer["paddock"]["turns"][0]["tools"][0]["output"]
        assert (await anna.delete(f"{USERS}/ben")).status_code == 200
        assert await made(anna) == []


async def test_what_a_turn_asks_of_the_server_beside_the_client_is_told_and_not_carried_out(fresh: Rig) -> None:
    both = calling(
        calls('{"city": "Rome"}', at=0, name="get_weather", call_id="g1"),
        calls(SUM, at=1, name="calculator", call_id="c1"),
    )
    await fresh.script(both, both, both, both, turn(says("437.")))
    fields: Json = {"enable_tools": True, "tools": [TOOL]}
    whole = (await fresh.chat(**fields)).json()
    assert [one["id"] for one in whole["choices"][0]["message"]["tool_calls"]] == ["g1"]
    (told,) = whole["paddock"]["turns"][0]["tools"]
    assert (told["id"], told["state"]) == ("c1", "failed")
    assert told["output"].startswith("Not carried out: the same turn called a tool of the client's")
    raw = await fresh.stream(**fields)
    assert b'"failed"' in raw
    assert data_of(raw)[-1] == b"[DONE]"
    response = (await fresh.post({"input": "Hi", "enable_tools": True, "tools": [FUNCTION]}, "/v1/responses")).json()
    assert sorted(item["type"] for item in response["output"]) == ["function_call", "mcp_call"]
    message: Json = {"messages": [USER], "max_tokens": 99, "enable_tools": True, "tools": [CLAUDES]}
    said = (await fresh.post(message, "/v1/messages")).json()
    assert [block["type"] for block in said["content"]] == ["mcp_tool_use", "mcp_tool_result", "tool_use"]
    assert said["stop_reason"] == "tool_use"
    # Sent back, the model knows that its other call was not carried out.
    result = {"type": "tool_result", "tool_use_id": "g1", "content": "Sunny"}
    back = [USER, {"role": "assistant", "content": said["content"]}, {"role": "user", "content": [result]}]
    assert (await fresh.post({**message, "messages": back}, "/v1/messages")).status_code == 200
    assert [one[:10] for one in await results(fresh)] == ["Not carrie", "Sunny"]
    assert await made(fresh.http, session_id="nowhere") == []


FUNCTION: Json = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
CLAUDES: Json = {"name": "get_weather", "input_schema": {"type": "object"}}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/api/chat"])
async def test_each_dialect_asks_in_its_own_form_and_goes_on(fresh: Rig, path: str) -> None:
    await fresh.script(calling(writing()), turn(says("Written.")))
    fields: Json = {"input": "Hi", "max_tokens": 99, "model": "pocket-v0", **ASKS}
    seen: list[str] = []
    if path == "/v1/responses":
        del fields["max_tokens"]
    async with streaming(fresh.http, path, **fields) as events:
        async for event in events:
            seen.append(str(event.get("type") or event.get("paddock", {}).get("tool", {}).get("state")))
            tool = event.get("tool") or event.get("paddock", {}).get("tool") or event
            approval: Json = tool.get("approval") or {}
            if "answers" in approval:
                assert (await answered(fresh.http, approval["id"], "once")).status_code == 200
    if path == "/v1/messages":
        assert seen.count("paddock_tool") == 2
    elif path == "/v1/responses":
        assert [one for one in seen if "approval" in one] == [
            "response.mcp_call.approval.requested", "response.mcp_call.approval.answered",
        ]  # fmt: skip
    else:
        assert [one for one in seen if one != "None"] == ["running", "asking", "answered", "done"]
    assert await results(fresh) == ["Wrote a.txt, 4 bytes."]
