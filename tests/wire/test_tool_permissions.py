"""Tests what lets a call of the server's tools: decisions, the request, a person who is asked; and the trail."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from paddock.api.tool_permissions import ApprovalList, CallList, PermissionTable
from tests.shapes.responses_streams import calls, says
from tests.wire.asking import (
    APPROVALS,
    ASKS,
    CALLS,
    FILES,
    NAMES,
    PERMISSIONS,
    answered,
    calling,
    decided,
    made,
    results,
    streaming,
    tools_of,
    turn,
    waiting,
    writing,
)
from tests.wire.rig import Json, Rig

pytestmark = pytest.mark.anyio
SUM = '{"expression": "23 * 19"}'


@pytest.fixture
async def fresh(rig: Rig) -> AsyncGenerator[Rig]:
    """Paddock where nothing is decided."""
    await decided(rig.http, **dict.fromkeys(NAMES))
    yield rig
    await decided(rig.http, **dict.fromkeys(NAMES))


async def test_a_call_waits_until_it_is_let_and_goes_on(fresh: Rig) -> None:
    await fresh.script(calling(says("Let me write."), writing()), turn(says("Written.")))
    async with streaming(fresh.http, **ASKS, session_id="once") as events:
        seen: list[Json] = []
        async for event in events:
            if tool := event.get("paddock", {}).get("tool"):
                seen.append(tool)
                if tool["state"] == "asking":
                    (one,) = ApprovalList.model_validate((await fresh.http.get(APPROVALS)).json()).data
                    assert (one.tool, one.arguments, one.session_id) == (
                        "write_file", '{"path": "a.txt", "content": "mine"}', "once",
                    )  # fmt: skip
                    assert tool["approval"] == {
                        "id": one.id, "expires_in_s": 600.0, "answers": ["once", "chat", "always", "no", "never"],
                    }  # fmt: skip
                    assert (await answered(fresh.http, one.id, "once")).json() == {
                        "id": one.id, "tool": "write_file", "answer": "once",
                    }  # fmt: skip
    assert [one["state"] for one in seen] == ["running", "asking", "answered", "done"]
    assert await results(fresh) == ["Wrote a.txt, 4 bytes."]
    assert (await fresh.http.get(APPROVALS)).json()["data"] == []
    newest = CallList.model_validate((await fresh.http.get(CALLS, params={"limit": 1})).json())
    (call,) = newest.data
    assert newest.has_more or len(await made(fresh.http)) == 1
    assert (call.who, call.session_id, call.tool, call.allowed, call.outcome) == (
        "local", "once", "write_file", "once", "done",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [("no", "the user said no to this call"), ("never", "the tool write_file is set to never")],
)
async def test_a_refusal_is_words_for_the_model_and_the_answer_goes_on(fresh: Rig, answer: str, said: str) -> None:
    await fresh.script(calling(writing("b.txt")), turn(says("Then not.")))
    told: list[Json] = []
    async with anyio.create_task_group() as group:

        async def refuse() -> None:
            (one,) = await waiting(fresh.http)
            assert (await answered(fresh.http, one["id"], answer)).status_code == 200

        group.start_soon(refuse)
        async with streaming(fresh.http, **ASKS) as events:
            told = await tools_of(events)
    assert [one["state"] for one in told] == ["running", "asking", "answered", "failed"]
    assert said in told[-1]["output"]
    assert said in (await results(fresh))[0]
    (call,) = await made(fresh.http, limit=1)
    assert (call["allowed"], call["outcome"], call["duration_s"]) == (answer, "refused", 0)
    assert (await decided(fresh.http)) == ({"write_file": "never"} if answer == "never" else {})


async def test_what_is_allowed_for_a_chat_is_not_asked_there_again_and_elsewhere_it_is(fresh: Rig) -> None:
    async def states(session_id: str, answer: str = "no") -> list[str]:
        told: list[str] = []
        await fresh.script(calling(writing()), turn(says("Done.")))
        async with anyio.create_task_group() as group:

            async def let() -> None:
                for one in await waiting(fresh.http):
                    await answered(fresh.http, one["id"], answer)

            group.start_soon(let)
            async with streaming(fresh.http, **ASKS, session_id=session_id) as events:
                told = [one["state"] for one in await tools_of(events)]
            group.cancel_scope.cancel()
        return told

    assert await states("chat-1", "chat") == ["running", "asking", "answered", "done"]
    assert await states("chat-1") == ["running", "done"]
    assert await states("chat-2") == ["running", "asking", "answered", "failed"]
    assert await states("chat-2", "always") == ["running", "asking", "answered", "done"]
    assert await states("chat-3") == ["running", "done"]
    assert [one["allowed"] for one in await made(fresh.http, limit=5)] == ["always", "always", "no", "chat", "chat"]
    # A "never" holds over what was allowed for a chat.
    await decided(fresh.http, write_file="never")
    await fresh.script(calling(writing()), turn(says("Done.")))
    async with streaming(fresh.http, **ASKS, session_id="chat-1") as events:
        (_, ended) = await tools_of(events)
    assert "there is no tool 'write_file'" in ended["output"]


async def test_one_answer_for_good_answers_all_calls_of_the_tool_that_wait(fresh: Rig) -> None:
    told: list[Json] = []
    await fresh.script(calling(writing("1"), writing("2", at=1, call_id="w2")), turn(says("Both.")))
    async with anyio.create_task_group() as group:

        async def let() -> None:
            (one, _) = await waiting(fresh.http, 2)
            await answered(fresh.http, one["id"], "always")

        group.start_soon(let)
        async with streaming(fresh.http, **ASKS) as events:
            told = await tools_of(events)
    assert [one["state"] for one in told if one["state"] in ("done", "failed")] == ["done", "done"]


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, "Wrote"),
        ({"tool_permissions": {"write_file": "always"}}, "Wrote"),
        ({"tool_permissions": {"files": "always", "*": "never"}}, "Wrote"),
        ({"tool_permissions": {"*": "ask"}}, "nobody can be asked in an answer that is not streamed"),
        ({"tool_permissions": {"files": "ask"}}, "nobody can be asked"),
        ({"tool_permissions": {"files": "always", "write_file": "never"}}, "there is no tool 'write_file'"),
        ({"tool_permissions": {"*": "never"}}, "there is no tool 'write_file'. There are: list_files, read_file"),
    ],
)
async def test_a_caller_of_the_api_says_in_the_request_what_is_let(fresh: Rig, fields: Json, output: str) -> None:
    await fresh.script(calling(writing()), turn(says("Done.")))
    answer = (await fresh.chat(**FILES, **fields)).json()
    assert answer["choices"][0]["message"]["content"] == "Done."
    assert output in answer["paddock"]["turns"][0]["tools"][0]["output"]


async def test_what_was_decided_binds_those_who_ask_and_never_binds_all(fresh: Rig) -> None:
    async def output(**fields: Any) -> str:
        await fresh.script(calling(writing()), turn(says("Done.")))
        answer = (await fresh.chat(**FILES, **fields)).json()
        return str(answer["paddock"]["turns"][0]["tools"][0]["output"])

    await decided(fresh.http, files="always")
    assert "Wrote" in await output(tool_permissions={"*": "ask"})
    # A tool's own word counts before its group's.
    await decided(fresh.http, write_file="never")
    assert "there is no tool" in await output(tool_permissions={"write_file": "always"})
    await decided(fresh.http, write_file="ask")
    assert "nobody can be asked" in await output(tool_permissions={"*": "ask"})
    # Who turned a tool on and says nothing of it has consented.
    assert "Wrote" in await output()


async def test_harmless_tools_are_asked_about_only_where_that_was_decided(fresh: Rig) -> None:
    sums = calling(calls(SUM, at=0, name="calculator", call_id="c1"))
    await fresh.script(sums, turn(says("437.")), sums, turn(says("437.")))
    fields: Json = {"enable_tools": True, "tool_permissions": {"*": "ask"}}
    assert (await fresh.chat(**fields)).json()["paddock"]["turns"][0]["tools"][0]["output"] == "437"
    assert (await made(fresh.http, limit=1))[0]["allowed"] == "usual"
    await decided(fresh.http, calculator="ask")
    told = (await fresh.chat(**fields)).json()["paddock"]["turns"][0]["tools"][0]
    assert "nobody can be asked" in told["output"]


async def test_nobody_is_asked_about_a_call_that_cannot_be_carried_out(fresh: Rig) -> None:
    wrong = calls('{"path": 5}', at=0, name="write_file", call_id="w1")
    await fresh.script(calling(wrong), turn(says("Sorry.")))
    async with streaming(fresh.http, **ASKS) as events:
        told = await tools_of(events)
    assert [one["state"] for one in told] == ["running", "failed"]
    assert "do not fit" in told[-1]["output"]
    (call,) = await made(fresh.http, limit=1)
    assert (call["allowed"], call["outcome"]) == ("usual", "failed")


async def test_a_call_that_nobody_answers_is_refused_in_time(fresh: Rig) -> None:
    await fresh.script(calling(writing("late.txt")), turn(says("Nobody was there.")))
    async with streaming(fresh.http, **ASKS, tool_approval_timeout=0.2) as events:
        told = await tools_of(events)
    assert told[1]["approval"]["answers"] == ["once", "always", "no", "never"]
    assert told[2]["approval"]["answer"] is None
    assert "nobody answered within 0.2 s" in told[-1]["output"]
    late = await answered(fresh.http, told[1]["approval"]["id"], "once")
    assert (late.status_code, late.json()["error"]["code"]) == (404, "approval_not_found")
    (call,) = await made(fresh.http, limit=1)
    assert (call["allowed"], call["outcome"]) == ("unanswered", "refused")


async def test_a_client_that_leaves_takes_the_question_along_and_it_is_noted(fresh: Rig) -> None:
    await fresh.script(calling(writing("left.txt")), turn(says("Never read.")))
    async with streaming(fresh.http, **ASKS) as events:
        async for event in events:
            if event.get("paddock", {}).get("tool", {}).get("state") == "asking":
                break
        (one,) = await waiting(fresh.http)
    await waiting(fresh.http, 0)
    assert (await answered(fresh.http, one["id"], "once")).status_code == 404
    (call,) = await made(fresh.http, limit=1)
    assert (call["allowed"], call["outcome"], "left.txt" in call["arguments"]) == ("ask", "cancelled", True)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"answer": "perhaps"}, 422), ({}, 422), ({"answer": "once", "more": 1}, 422), ({"answer": "chat"}, 400)],
)
async def test_an_answer_that_cannot_be_is_refused_and_the_call_waits_on(fresh: Rig, body: Json, status: int) -> None:
    await fresh.script(calling(writing()), turn(says("Done.")))
    async with anyio.create_task_group() as group:

        async def let() -> None:
            (one,) = await waiting(fresh.http)
            wrong = await fresh.http.post(f"{APPROVALS}/{one['id']}", json=body)
            assert wrong.status_code == status, wrong.text
            assert await waiting(fresh.http) == [one]
            await answered(fresh.http, one["id"], "once")

        group.start_soon(let)
        async with streaming(fresh.http, **ASKS) as events:
            assert (await tools_of(events))[-1]["state"] == "done"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"tool_permissions": {"rocket": "never"}}, 400),
        ({"tool_permissions": {"python": "perhaps"}}, 422),
        ({"tool_permissions": ["python"]}, 422),
        ({"tool_approval_timeout": 0}, 422),
        ({"tool_approval_timeout": True}, 422),
    ],
)
async def test_what_is_stated_wrongly_is_named(fresh: Rig, fields: Json, status: int) -> None:
    response = await fresh.chat(enable_tools=True, **fields)
    assert response.status_code == status, response.text
    assert response.json()["error"]["param"].startswith(next(iter(fields)))
    assert await fresh.engine.seen() == []


async def test_decisions_are_kept_taken_back_and_held_to_what_there_is(fresh: Rig) -> None:
    table = PermissionTable.model_validate((await fresh.http.get(PERMISSIONS)).json())
    assert table.permissions == {}
    assert await decided(fresh.http, files="never", **{"mcp:github": "ask"}) == {"files": "never", "mcp:github": "ask"}
    assert await decided(fresh.http, files=None) == {"mcp:github": "ask"}
    for words in ({"rocket": "never"}, {"files": "perhaps"}, {"x:" + "y" * 300: "ask"}):
        refused = await fresh.http.put(PERMISSIONS, json={"permissions": words})
        assert refused.status_code in (400, 422), refused.text
    assert await decided(fresh.http) == {"mcp:github": "ask"}
