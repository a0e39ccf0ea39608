"""Tests paddock as a server of tools: what its clients see and may do, by the SDK's own client and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import mcp_types
import pytest
from mcp.client.client import Client

from tests.shapes.responses_streams import says
from tests.wire.rig import HANG_GUARD_S, Json, Rig, body_of
from tests.wire.test_key_terms import keyed
from tests.wire.test_toolloop import asks, call, conversations, turn

pytestmark = pytest.mark.anyio
BOTH = {"Accept": "application/json, text/event-stream"}
ALL = ["ask_model", "list_models", "list_datasets", "show_dataset", "list_jobs", "show_job", "cancel_job"]


def said(content: str) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"json": {"id": "c", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}}


async def spoken(rig: Rig, method: str, params: Json | None = None, **headers: str) -> Json:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    answer = await rig.post(asked, "/mcp", {**BOTH, **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def called(rig: Rig, name: str, arguments: Json, **headers: str) -> tuple[str, bool]:
    found = await spoken(rig, "tools/call", {"name": name, "arguments": arguments}, **headers)
    return found["content"][0]["text"], found["isError"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_sdk_finds_and_calls_its_tools_in_both_eras_of_the_protocol(rig: Rig, mode: str) -> None:
    await rig.script(said("Of hay."))
    with anyio.fail_after(HANG_GUARD_S):
        async with Client(f"{rig.studio.url}/mcp", mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ALL
            found = await client.call_tool("ask_model", {"prompt": "Of what?", "system": "Be brief.", "max_tokens": 9})
    assert isinstance(found.content[0], mcp_types.TextContent)
    assert (found.content[0].text, found.is_error) == ("Of hay.", False)
    seen = body_of((await rig.engine.seen())[0])
    assert seen["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Of what?"}]
    assert seen["max_tokens"] == 9


async def test_models_data_sets_and_jobs_are_told(rig: Rig) -> None:
    assert json.loads((await called(rig, "list_models", {}))[0])[0]["id"] == "pocket-v0"
    assert await called(rig, "list_datasets", {}) == ("[]", False)
    for kind in ("training", "export", "evaluation"):
        assert await called(rig, "list_jobs", {"kind": kind}) == ("[]", False)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("rm", {}, "There is no tool 'rm'"),
        ("ask_model", {}, "do not fit"),
        ("ask_model", {"prompt": "x", "model": "nobody"}, "There is no model 'nobody'"),
        ("list_jobs", {"kind": "../settings"}, "do not fit"),
        ("show_job", {"kind": "export", "id": "job_unknown"}, "There is no job"),
        ("cancel_job", {"kind": "training", "id": "job_unknown"}, "There is no job"),
        ("show_dataset", {"id": "nothing"}, "There is no"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(rig: Rig, name: str, arguments: Json, told: str) -> None:
    text, is_error = await called(rig, name, arguments)
    assert told in text
    assert is_error


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize("job_id", ["..", "../../settings", "..%2f..%2fsettings", "x?y=z", "x/cancel", "x#y", "\0"])
async def test_no_id_leads_to_another_route(rig: Rig, job_id: str) -> None:
    text, is_error = await called(rig, "show_job", {"kind": "export", "id": job_id})
    assert is_error
    assert "There is no" in text or "status 404" in text


@pytest.mark.attack("pages of elsewhere")
@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
async def test_pages_of_elsewhere_reach_no_tool(rig: Rig, headers: dict[str, str]) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = await rig.post(asked, "/mcp", {**BOTH, **headers})
    assert answer.status_code in (403, 421)


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"[]", 400), (b"{", 400), (b"{}", 400), (b'{"jsonrpc": "1.0"}', 400)]
)
async def test_what_is_no_message_is_refused(rig: Rig, body: bytes, status: int) -> None:
    assert (await rig.post(body, "/mcp", BOTH)).status_code == status
    assert (await rig.http.get("/mcp")).status_code == 405


RIGHTS: dict[str, Json] = {
    "asks": {"rights": ("ask",)},
    "trains": {"rights": ("train",)},
    "mcp alone": {"rights": ("ask",), "paths": ("/mcp",)},
    "other paths": {"rights": ("ask",), "paths": ("/v1/*",)},
}


@pytest.mark.parametrize(
    ("terms", "listed", "tool", "told"),
    [
        ("asks", ["ask_model", "list_models"], "list_jobs", "lacks the right 'train'"),
        ("trains", ALL[2:], "list_models", "lacks the right 'ask'"),
        # What a tool does is the path of its route.
        ("mcp alone", ["ask_model", "list_models"], "list_models", "This key may call /mcp alone"),
        ("other paths", None, "list_models", ""),
    ],
)
async def test_a_key_sees_and_does_what_its_rights_say(
    tmp_path: Path, terms: str, listed: list[str] | None, tool: str, told: str
) -> None:
    async with keyed(tmp_path, **RIGHTS[terms]) as rig:
        if listed is None:
            asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            assert (await rig.post(asked, "/mcp", BOTH)).status_code == 403
            return
        assert [one["name"] for one in (await spoken(rig, "tools/list"))["tools"]] == listed
        text, is_error = await called(rig, tool, {"kind": "training"} if tool == "list_jobs" else {})
        assert is_error
        assert told in text


async def test_paddock_uses_the_tools_of_a_paddock(rig: Rig) -> None:
    await rig.post({"name": "other", "url": f"{rig.studio.url}/mcp", "is_private": True}, "/api/mcp")
    assert (await rig.post({}, "/api/mcp/other/enable")).json()["state"] == "ready"
    await rig.script(asks(call("{}", name="mcp__other__list_models")), turn(says("One.")))
    answer = await rig.chat(enable_tools=True, enabled_tools=["mcp:other"])
    assert answer.json()["choices"][0]["message"]["content"] == "One."
    assert "pocket-v0" in (await conversations(rig))[1][-1]["content"]
    await rig.http.delete("/api/mcp/other")
