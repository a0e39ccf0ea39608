"""Tests MCP with programs of its makers: their inspector uses paddock, and paddock uses their reference servers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.clients.programs import NODE
from tests.shapes.responses_streams import says
from tests.wire.rig import Json, Rig, scripted_studio
from tests.wire.test_toolloop import asks, call, conversations, turn

pytestmark = pytest.mark.anyio
RUN_TIMEOUT_S = 120.0


def inspected(url: str, home: Path, *words: str) -> Any:
    """What the inspector prints of one question."""
    command = [str(NODE / "mcp-inspector"), "--cli", f"{url}/mcp", "--transport", "http", "--method", *words]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False, cwd=home
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def hosted(rig: Rig, name: str, program: str, *arguments: str) -> Json:
    await rig.post({"name": name, "command": str(NODE / program), "args": list(arguments)}, "/api/mcp")
    found = (await rig.post({}, f"/api/mcp/{name}/enable")).json()
    assert (found["state"], found["error"], found["left_out"]) == ("ready", "", {})
    return found


async def used(rig: Rig, server: str, tool: str, arguments: Json) -> str:
    await rig.script(asks(call(json.dumps(arguments), name=f"mcp__{server}__{tool}")), turn(says("Well.")))
    answer = await rig.chat(enable_tools=True, enabled_tools=[f"mcp:{server}"])
    assert answer.status_code == 200, answer.text
    return (await conversations(rig))[-1][-1]["content"]


async def test_the_inspector_lists_and_calls_the_tools_of_paddock(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:

        async def ask(*words: str) -> Any:
            return await anyio.to_thread.run_sync(lambda: inspected(rig.studio.url, tmp_path, *words))

        names = [tool["name"] for tool in (await ask("tools/list"))["tools"]]
        assert names[:2] == ["ask_model", "list_models"]
        models = await ask("tools/call", "--tool-name", "list_models")
        assert "pocket-v0" in models["content"][0]["text"]
        refused = await ask(
            "tools/call", "--tool-name", "show_job", "--tool-arg", "kind=export", "--tool-arg", "id=none"
        )
        assert refused["isError"] is True


async def test_the_reference_server_of_files_reads_and_writes_within_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    async with scripted_studio(tmp_path) as rig:
        await hosted(rig, "files", "mcp-server-filesystem", str(folder))
        path = str(folder / "hay.txt")
        assert "Successfully wrote" in await used(rig, "files", "write_file", {"path": path, "content": "two bales"})
        assert await used(rig, "files", "read_text_file", {"path": path}) == "two bales"
        assert "Access denied" in await used(rig, "files", "read_text_file", {"path": "/etc/passwd"})


async def test_the_reference_server_of_everything_is_used(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        found = await hosted(rig, "all", "mcp-server-everything")
        assert len(found["tools"]) > 8
        assert await used(rig, "all", "echo", {"message": "hay"}) == "Echo: hay"
        assert ".png, " in await used(rig, "all", "get-tiny-image", {})
        assert "42" in await used(rig, "all", "get-sum", {"a": 40, "b": 2})
        slow = {"duration": 1, "steps": 2}
        assert "completed" in await used(rig, "all", "trigger-long-running-operation", slow)
        assert (await rig.http.get("/api/mcp/all/prompts")).json()["data"]
        uri = (await rig.http.get("/api/mcp/all/resources")).json()["data"][0]["uri"]
        assert (await rig.http.get("/api/mcp/all/resource", params={"uri": uri})).json()["text"]
