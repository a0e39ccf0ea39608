"""Tests servers of tools behind the loop: what they offer in every dialect, and that a broken one ends no chat.

The servers are real processes (`tests/fakes/tool_server.py`), which go wrong in their own ways.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.shapes.responses_streams import says
from tests.wire.rig import HANG_GUARD_S, USER, Json, Rig, body_of, data_of, scripted_studio
from tests.wire.test_toolloop import asks, call, conversations, turn

pytestmark = pytest.mark.anyio
FAKE = str(Path(__file__).parents[1] / "fakes" / "tool_server.py")


@pytest.fixture
async def notes(tmp_path: Path) -> Path:
    """Where a fake leaves word."""
    return tmp_path / "notes"


@pytest.fixture
async def rig(anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Rig]:
    """Paddock, with a data home for each test."""
    async with scripted_studio(tmp_path) as rig:
        yield rig


async def hosted(rig: Rig, way: str = "well", *, name: str = "fake", **fields: Any) -> Json:
    """A server that goes its way, added and turned on, as it is told then."""
    asked = {"name": name, "command": sys.executable, "args": [FAKE, way], **fields}
    answer = await rig.post(asked, "/api/mcp")
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "off"
    return (await rig.post({}, f"/api/mcp/{name}/enable")).json()


async def state(rig: Rig, name: str = "fake") -> Json:
    return next(one for one in (await rig.http.get("/api/mcp")).json()["data"] if one["name"] == name)


async def used(rig: Rig, tool: str, arguments: str = "{}", **more: Any) -> str:
    """What the model is told of one call of a tool."""
    await rig.script(asks(call(arguments, name=f"mcp__fake__{tool}")), turn(says("Well.")))
    answer = await rig.chat(enable_tools=True, enabled_tools=["mcp:fake"], **more)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Well."
    return (await conversations(rig))[-1][-1]["content"]


def said_in(notes: Path) -> list[str]:
    """The words that a fake left; none yet where it left none."""
    return notes.read_text().split() if notes.exists() else []


async def until(done: Callable[[], bool]) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        while not done():
            await anyio.sleep(0.01)


async def test_a_server_is_off_until_somebody_turns_it_on_and_off_again_when_it_is_changed(
    rig: Rig, notes: Path
) -> None:
    asked = {"name": "fake", "command": sys.executable, "args": [FAKE, "stubborn"], "env": {"FAKE_NOTES": str(notes)}}
    assert (await rig.post(asked, "/api/mcp")).json()["state"] == "off"
    refused = await rig.chat(enable_tools=True, enabled_tools=["mcp:fake"])
    assert refused.status_code == 400
    assert said_in(notes) == []
    assert (await rig.post({}, "/api/mcp/fake/enable")).json()["state"] == "ready"
    assert (await rig.post({**asked, "args": [FAKE, "other"]}, "/api/mcp")).json()["is_enabled"] is False
    assert (await state(rig))["state"] == "off"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_its_tools_are_called_in_every_dialect(rig: Rig, path: str, streamed: bool) -> None:
    found = await hosted(rig)
    assert [tool["name"] for tool in found["tools"]][:2] == ["mcp__fake__echo", "mcp__fake__env"]
    await rig.script(asks(call('{"text": "hay"}', name="mcp__fake__echo")), turn(says("Well.")))
    body = {"enable_tools": True, "enabled_tools": ["mcp:fake"], "stream": streamed, "max_tokens": 99}
    asks_by = {"input": "Hello"} if path == "/v1/responses" else {"messages": [USER]}
    answer = await rig.post({**body, **asks_by, "model": "pocket-v0"}, path)
    assert answer.status_code == 200, answer.text
    assert (await conversations(rig))[1][-1]["content"] == "hay"
    offered = body_of((await rig.engine.seen())[0])["tools"]
    assert offered[0]["function"]["parameters"]["required"] == ["text"]
    assert b"mcp__fake__echo" in answer.content


async def test_who_let_its_tools_for_good_let_those_of_that_server_alone(rig: Rig) -> None:
    await hosted(rig)
    place = "/api/tools/permissions"
    kept = {"mcp__fake__echo": "always", "mcp__fake__slow": "never"}
    assert (await rig.http.put(place, json={"permissions": kept})).status_code == 200
    await hosted(rig, "other")
    found = (await rig.http.get(place)).json()["permissions"]
    assert {name: word for name, word in found.items() if word} == {"mcp__fake__slow": "never"}


async def test_its_tools_are_listed_with_its_group_and_need_the_right(rig: Rig) -> None:
    await hosted(rig)
    tools = {one["name"]: one for one in (await rig.http.get("/api/tools")).json()["data"]}
    assert tools["mcp__fake__echo"]["group"] == "mcp:fake"
    assert tools["mcp__fake__echo"]["is_harmless"] is False
    # Without being named they are not on.
    await rig.script(turn(says("Well.")))
    await rig.chat(enable_tools=True)
    names = [tool["function"]["name"] for tool in body_of((await rig.engine.seen())[0])["tools"]]
    assert names == ["calculator", "datetime"]


async def test_a_picture_is_a_file_of_the_session(rig: Rig) -> None:
    await hosted(rig)
    await rig.script(asks(call("{}", name="mcp__fake__picture")), turn(says("Well.")))
    answer = await rig.chat(enable_tools=True, enabled_tools=["mcp:fake"], session_id="s1")
    (file,) = answer.json()["paddock"]["turns"][0]["tools"][0]["files"]
    assert file["media_type"] == "image/png"
    assert (await rig.http.get(file["url"])).content.startswith(b"\x89PNG")


async def test_what_it_prints_meanwhile_is_told(rig: Rig) -> None:
    await hosted(rig)
    await rig.script(asks(call("{}", name="mcp__fake__progress")), turn(says("Well.")))
    raw = await rig.stream(enable_tools=True, enabled_tools=["mcp:fake"])
    frames = [json.loads(data) for data in data_of(raw) if data != b"[DONE]"]
    outputs = [one["paddock"]["tool"].get("output") for one in frames if "paddock" in one]
    assert outputs == [None, "half done\n", "all done"]


@pytest.mark.attack("floods")
@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ("die", "Error: mcp__fake__die: The server of tools fake ended with status 3: the hay is on fire."),
        ("line", "Error: mcp__fake__line: The server of tools fake sent a line of more than 8 MiB, and was ended."),
        ("flood", "sent more than 3000 messages within 10 s, and was ended."),
        ("sample", "sent more than 3000 messages within 10 s, and was ended."),
        ("wrong", "answered what cannot be read"),
        ("fails", "out of hay"),
        ("nothing", "there is no tool 'mcp__fake__nothing'"),
    ],
)
async def test_a_server_that_breaks_in_mid_call_is_told_to_the_model_and_the_chat_goes_on(
    rig: Rig, tool: str, told: str
) -> None:
    await hosted(rig)
    assert told in await used(rig, tool)
    # It is begun anew when it is next asked, once its time has come.
    with anyio.fail_after(HANG_GUARD_S):
        while await used(rig, "echo", '{"text": "again"}') != "again":
            await anyio.sleep(0.1)


async def test_a_long_answer_is_cut(rig: Rig) -> None:
    await hosted(rig)
    assert "characters left out" in await used(rig, "large")


async def test_a_call_that_takes_too_long_is_stopped_and_the_server_told(rig: Rig, notes: Path) -> None:
    await hosted(rig, env={"FAKE_NOTES": str(notes)})
    assert "took longer than 0.2 s" in await used(rig, "slow", tool_call_timeout=0.2)
    await until(lambda: "cancelled" in said_in(notes))
    # The same server answers on.
    assert await used(rig, "echo", '{"text": "still here"}') == "still here"


async def test_a_client_that_leaves_has_the_server_told(rig: Rig, notes: Path) -> None:
    await hosted(rig, env={"FAKE_NOTES": str(notes)})
    await rig.script(asks(call("{}", name="mcp__fake__slow")))
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: rig.chat(enable_tools=True, enabled_tools=["mcp:fake"]))
        await until(lambda: "slow" in said_in(notes))
        group.cancel_scope.cancel()
    await until(lambda: "cancelled" in said_in(notes))


async def test_tools_that_change_are_offered_as_they_are_then(rig: Rig) -> None:
    await hosted(rig)
    assert await used(rig, "changes") == "changed"
    with anyio.fail_after(HANG_GUARD_S):
        while "mcp__fake__new" not in [tool["name"] for tool in (await state(rig))["tools"]]:
            await anyio.sleep(0.02)


@pytest.mark.attack("bombs")
async def test_tools_whose_schemas_lie_are_left_out_and_the_others_are_offered(rig: Rig) -> None:
    found = await hosted(rig, "lies")
    names = [tool["name"] for tool in found["tools"]]
    assert names[0] == "mcp__fake__good"
    assert all(len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum() for name in names)
    assert {name: why.partition(":")[0][:24] for name, why in found["left_out"].items()} == {
        "array": "its schema describes no ", "unknown": "its schema cannot be use", "far": "its schema cannot be use",
        "huge": "its schema has 100060 by", "good": "another tool of this ser",
    }  # fmt: skip
    await rig.script(turn(says("Well.")))
    assert (await rig.chat(enable_tools=True, enabled_tools=["mcp:fake"])).status_code == 200


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("dead", "ended with status 4: no hay here"),
        ("absent program", "could not be started: /no/such: No such file or directory"),
        ("endless list", ""),
        ("no list", ""),
        ("noisy", ""),
    ],
)
async def test_how_a_server_fails_to_begin_is_told_and_one_that_is_only_odd_is_used(
    rig: Rig, way: str, error: str
) -> None:
    more: Json = {"command": "/no/such"} if way == "absent program" else {}
    found = await hosted(rig, way, **more)
    assert (found["state"], found["error"]) == ("failed" if error else "ready", error)
    if error:
        answer = await rig.chat(enable_tools=True, enabled_tools=["mcp:fake"])
        assert answer.status_code == 400
        assert error in answer.json()["error"]["message"]
    else:
        assert len(found["tools"]) <= 200


async def test_resources_and_prompts_are_listed_and_a_resource_is_read(rig: Rig) -> None:
    await hosted(rig)
    assert (await rig.http.get("/api/mcp/fake/resources")).json()["data"][0]["uri"] == "note://one"
    assert (await rig.http.get("/api/mcp/fake/prompts")).json()["data"][0]["name"] == "greet"
    assert (await rig.http.get("/api/mcp/fake/resource?uri=note://one")).json() == {"text": "first note"}
    refused = await rig.http.get("/api/mcp/fake/resource?uri=note://two")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "tool_server_failed")
    assert (await rig.http.get("/api/mcp/none/prompts")).status_code == 404


async def test_secrets_are_given_to_the_program_and_to_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_paddocks_own")
    found = await hosted(rig, env={"FAKE_KEY": "very secret"})
    assert found["secrets"] == ["FAKE_KEY"]
    told = json.loads(await used(rig, "env"))
    assert told["FAKE_KEY"] == "very secret"
    assert not {"HF_TOKEN", "PADDOCK_HOME", "PYTHONPATH", "VIRTUAL_ENV"} & set(told)
    listed = (await rig.http.get("/api/mcp")).text
    assert "very secret" not in listed
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and b"very secret" in path.read_bytes()]
    # What the model was told is in the recording, where the person has it so, and nowhere else.
    assert [path for path in kept if "requests" not in path.parts] == []


async def test_nothing_of_a_server_outlives_being_turned_off(rig: Rig, notes: Path) -> None:
    await hosted(rig, "stubborn", env={"FAKE_NOTES": str(notes)})
    _, child, own = said_in(notes)
    assert psutil.pid_exists(int(child))
    await rig.post({}, "/api/mcp/fake/disable")
    await until(lambda: not psutil.pid_exists(int(child)) and not psutil.pid_exists(int(own)))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's death on Linux alone")
async def test_nothing_of_a_server_outlives_a_paddock_that_is_killed(tmp_path: Path, notes: Path) -> None:
    words = [sys.executable, "-m", "tests.fakes.hosting", str(tmp_path / "home"), FAKE, str(notes)]
    async with await anyio.open_process(words, stderr=None) as paddock:
        assert paddock.stdout
        assert await paddock.stdout.receive() == b"there\n"
        _, child, own = said_in(notes)
        paddock.kill()
        await until(lambda: not psutil.pid_exists(int(child)) and not psutil.pid_exists(int(own)))
