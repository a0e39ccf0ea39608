"""Another real paddock as a remote engine: named on the command line, asked in three dialects, lost and left."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.app import Studio, running
from paddock.config import load
from tests.engine import environ
from tests.journeys.test_cli import run

pytestmark = pytest.mark.anyio

MODEL = "near/pocket-v0"
KEY_VARIABLE = "FAR_KEY"
USER = {"role": "user", "content": "What is the weather in Oslo?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": PARAMETERS}}
_GUARD_S = 120


@asynccontextmanager
async def two(folder: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, Studio, str]]:
    """A client of a paddock whose remote is another paddock that asks for a key; that other one; and the key."""
    far_home = environ(folder / "far")
    common: dict[str, Any] = {"port": 0, "threads": 1, "context_tokens": 4096, "scan_others": False}
    made = await anyio.to_thread.run_sync(lambda: run({**os.environ, **far_home}, "keys", "create"))
    key = made.stdout.strip()
    async with (
        running(load({**common, "require_key": True}, environ=far_home)) as far,
        running(load(common, environ=environ(folder / "near"))) as near,
        httpx.AsyncClient(base_url=near.url, trust_env=False, timeout=_GUARD_S) as http,
    ):
        env = {**os.environ, "PADDOCK_HOME": str(folder / "near"), KEY_VARIABLE: key}
        added = await anyio.to_thread.run_sync(
            lambda: run(env, "remotes", "add", "near", far.url, "--key-from-env", KEY_VARIABLE)
        )
        assert added.returncode == 0, added.stderr
        yield http, far, key
        assert not near.pool.residents


async def test_another_paddock_answers_in_three_dialects_with_tools_streams_and_counts(tmp_path: Path) -> None:
    async with two(tmp_path) as (http, _, _):
        listed = {one["id"]: one for one in (await http.get("/v1/models")).json()["data"]}
        assert listed[MODEL]["owned_by"] == "near"
        assert listed[MODEL]["context_length"] == 4096
        ask: dict[str, Any] = {"model": MODEL, "messages": [USER], "max_tokens": 64, "temperature": 0}
        forced = {**ask, "tools": [TOOL], "tool_choice": "required"}
        chat = (await http.post("/v1/chat/completions", json=forced)).json()
        assert chat["model"] == MODEL
        (call,) = chat["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        streamed = await http.post("/v1/chat/completions", json={**ask, "stream": True})
        assert streamed.text.endswith("data: [DONE]\n\n")
        assert '"model":"near/pocket-v0"' in streamed.text
        spoken = {**ask, "tools": [{"name": "get_weather", "input_schema": PARAMETERS}], "tool_choice": {"type": "any"}}
        messages = (await http.post("/v1/messages", json=spoken)).json()
        assert messages["stop_reason"] == "tool_use"
        events = await http.post("/v1/messages", json={**ask, "stream": True})
        assert "event: message_stop" in events.text
        response = (await http.post("/v1/responses", json={"model": MODEL, "input": "Hello"})).json()
        assert response["status"] == "completed"
        counted = (await http.post("/v1/messages/count_tokens", json={"model": MODEL, "messages": [USER]})).json()
        plain = (await http.post("/v1/messages", json={"model": MODEL, "max_tokens": 1, "messages": [USER]})).json()
        assert counted["input_tokens"] == plain["usage"]["input_tokens"] + plain["usage"]["cache_read_input_tokens"]


async def test_errors_keep_their_status_and_a_lost_engine_is_told_in_the_stream(tmp_path: Path) -> None:
    async with two(tmp_path) as (http, far, _):
        unknown = await http.post("/v1/chat/completions", json={"model": "near/nothing", "messages": [USER]})
        assert unknown.status_code == 404
        assert "The remote 'near' answered 404: There is no model 'nothing'" in unknown.json()["error"]["message"]
        endless = {"model": MODEL, "stream": True, "max_tokens": 3000, "ignore_eos": True, "messages": [USER]}
        text = ""
        async with http.stream("POST", "/v1/chat/completions", json=endless) as answer:
            async for chunk in answer.aiter_text():
                if "data:" in chunk and "data:" not in text:
                    pid = far.pool.residents["pocket-v0"].engine.pid
                    assert pid
                    os.kill(pid, signal.SIGKILL)
                text += chunk
        assert '"error"' in text.splitlines()[-2] + text.splitlines()[-1]
        assert "[DONE]" not in text


async def test_a_client_that_leaves_frees_the_remotes_engine(tmp_path: Path) -> None:
    async with two(tmp_path) as (http, far, _):
        endless = {"model": MODEL, "stream": True, "max_tokens": 3000, "ignore_eos": True, "messages": [USER]}
        async with http.stream("POST", "/v1/chat/completions", json=endless) as answer:
            async for _ in answer.aiter_raw():
                break
            assert far.pool.residents["pocket-v0"].leases == 1
        with anyio.fail_after(_GUARD_S):
            while far.pool.residents["pocket-v0"].leases:
                await anyio.sleep(0.01)


async def test_the_commands_never_show_the_key_and_tell_what_is_wrong(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, far, key):
        home = tmp_path / "near"
        env = {**os.environ, "PADDOCK_HOME": str(home)}

        async def typed(*words: str, said: str | None = None) -> tuple[int, str]:
            done = await anyio.to_thread.run_sync(lambda: run(env, *words, said=said))
            return done.returncode, done.stdout + done.stderr

        told = [await typed("remotes", "list"), await typed("remotes", "check"), await typed("models", "list")]
        assert [status for status, _ in told] == [0, 0, 0]
        assert MODEL in told[1][1]
        assert MODEL in told[2][1]
        wrong = await typed("remotes", "add", "near", far.url, "--key-stdin", said="pdk-wrong\n")
        refused = await typed("remotes", "check", "near", "--json")
        assert (wrong[0], refused[0]) == (0, 1)
        assert json.loads(refused[1])[0]["state"] == "key refused", refused
        assert await typed("remotes", "remove", "near") == (0, "near is removed.\n")
        assert (await typed("remotes", "remove", "near"))[0] == 1
        status, said = await typed("remotes", "add", "lab", "http://192.0.2.1/v1")
        assert status == 1
        assert "--plain-http" in said
        assert not [text for _, text in told if key in text]
        assert [path.name for path in home.rglob("*") if path.is_file() and key.encode() in path.read_bytes()] == []
        assert (home / "secrets.key").stat().st_mode & 0o777 == 0o600
