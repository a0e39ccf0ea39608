"""Tests, on the real engine, that what is set for a model is what it runs with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from paddock.app import Studio, running
from paddock.config import load
from tests.fakes.gguf_files import gguf
from tests.journeys.test_cli import PADDOCK, WAIT_S

pytestmark = pytest.mark.anyio
MODEL = "pocket-v0"
# Greedily, the bundled model goes on with this as it began: enough to propose tokens from.
ROUND = "Repeat: the cat sat on the mat, the cat sat on the mat, the cat sat on the mat"
WITHOUT_TOOLS = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "


@pytest.fixture
async def http(studio: Studio) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=60) as client:
        yield client


async def put(http: httpx.AsyncClient, **changes: object) -> None:
    """Set this for the model, and let the next request load it anew."""
    answer = await http.put(f"/api/models/{MODEL}/settings", json=changes)
    assert answer.status_code == 200, answer.text
    await http.post(f"/api/models/{MODEL}/unload")


async def chat(http: httpx.AsyncClient, text: str = "Hello", **fields: object) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 40, **fields}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def words(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"])


async def test_a_temperature_that_is_set_is_the_one_that_is_sampled_with(http: httpx.AsyncClient) -> None:
    greedy = words(await chat(http))
    await put(http, temperature=4, top_k=0, top_p=1, min_p=0)
    assert len({words(await chat(http, seed=seed)) for seed in range(4)}) > 1
    await put(http, temperature=0)
    assert {words(await chat(http, seed=seed)) for seed in range(3)} == {greedy}
    await put(http, temperature=4)
    assert {words(await chat(http, temperature=0, seed=seed)) for seed in range(3)} == {greedy}


async def test_the_file_s_own_sampling_is_what_the_engine_starts_from(http: httpx.AsyncClient) -> None:
    shown = (await http.get(f"/v1/models/{MODEL}")).json()["recommended_sampling"]
    assert shown["sources"] == dict.fromkeys(("temperature", "top_p", "top_k", "min_p"), "file")
    assert shown["applied"] == {"temperature": 0.0, "top_p": 0.95, "top_k": 20, "min_p": 0.1}
    assert len({words(await chat(http, ROUND, seed=seed)) for seed in range(3)}) == 1


async def test_a_template_takes_the_place_of_the_model_s_own_until_it_is_cleared(http: httpx.AsyncClient) -> None:
    own = (await http.get(f"/api/models/{MODEL}/template")).json()
    assert (own["from"], own["renders"]["tools"], own["renders"]["tool_results"]) == ("model", True, True)
    await put(http, chat_template=WITHOUT_TOOLS)
    told = (await http.get(f"/api/models/{MODEL}/template")).json()
    assert (told["from"], told["template"].strip()) == ("override", WITHOUT_TOOLS.strip())
    assert told["renders"]["several_turns"] is True
    assert (told["renders"]["tools"], told["renders"]["tool_calls"]) == (False, False)
    assert any("knows no tools" in sentence for sentence in told["lacks"])
    prompt = (await http.post("/apply-template", json={"messages": [{"role": "user", "content": "Hi"}]})).json()[
        "prompt"
    ]
    assert prompt.strip() == "[user] Hi\n[assistant]"
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    refused = await http.post(
        "/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
    )
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")
    await put(http, chat_template="builtin")
    assert (await http.get(f"/api/models/{MODEL}/template")).json() == own


async def test_a_template_that_refuses_later_system_messages_says_so(http: httpx.AsyncClient) -> None:
    await put(http, chat_template="{% if messages[1:] | selectattr('role', 'equalto', 'system') | list %}"
              "{{ raise_exception('one system message') }}{% endif %}" + WITHOUT_TOOLS)  # fmt: skip
    told = (await http.get(f"/api/models/{MODEL}/template")).json()
    assert (told["renders"]["system"], told["renders"]["system_later"]) == (True, False)


async def test_a_template_that_is_none_is_told_in_the_engines_words(http: httpx.AsyncClient) -> None:
    await put(http, chat_template="{% for m in messages %}{{ broken")
    answer = await http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine_failed_to_start")
    assert "template" in answer.json()["error"]["message"]


async def test_tokens_are_proposed_by_a_draft_model_or_from_the_context(
    http: httpx.AsyncClient,
) -> None:
    plain = await chat(http, ROUND, max_tokens=200)
    assert "draft_n" not in plain["timings"]
    for changes in ({"draft_model": MODEL}, {"draft_model": None, "ngram_speculation": True}):
        await put(http, **changes)
        answer = await chat(http, ROUND, max_tokens=200)
        assert answer["timings"]["draft_n"] > 0
        assert answer["timings"]["draft_n_accepted"] > 0


async def test_the_kind_of_the_context_and_its_positions_reach_the_engine(http: httpx.AsyncClient) -> None:
    plain = words(await chat(http, ROUND))
    await put(http, kv_type="q8_0", flash_attention="on")
    await chat(http, ROUND)
    for changes in (
        {"kv_type": "q4_0"},
        {"kv_type": None, "rope_freq_base": 20},
        {"rope_freq_base": None, "rope_freq_scale": 0.1},
    ):
        await put(http, **changes)
        assert words(await chat(http, ROUND)) != plain, changes
    await put(http, rope_freq_scale=None, flash_attention="off")
    assert words(await chat(http, ROUND)) == plain


async def test_context_and_slots_are_those_that_are_set(http: httpx.AsyncClient) -> None:
    await put(http, context_tokens=256, slots=3)
    await http.post(f"/api/models/{MODEL}/load")
    assert (await http.get(f"/v1/models/{MODEL}")).json()["context_length"] == 256


def run(home: Path, *said: str) -> subprocess.CompletedProcess[str]:
    env = {"PADDOCK_HOME": str(home), "PATH": "/usr/bin:/bin", "PADDOCK_PORT": "0", "PADDOCK_THREADS": "1"}
    return subprocess.run([*PADDOCK, *said], env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)


def test_the_command_line_sets_shows_and_clears(tmp_path: Path) -> None:
    home, template = tmp_path / "home", _written(tmp_path)
    done = run(
        home, "models", "set", MODEL, "temperature=0.6", "context_tokens=2048", f"chat_template={template}", "--json"
    )
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)["settings"]
    assert (settings["temperature"], settings["context_tokens"]) == (0.6, 2048)
    shown = json.loads(run(home, "models", "show", MODEL, "--json").stdout)
    assert shown["settings"] == settings
    assert shown["recommended_sampling"]["applied"]["temperature"] == 0.6
    assert "temperature 0.6" in run(home, "models", "show", MODEL).stdout
    assert run(home, "models", "template", MODEL).stdout.strip() == WITHOUT_TOOLS.strip()
    done = run(home, "models", "set", MODEL, "--clear", "temperature", "--clear", "chat_template")
    assert (done.returncode, done.stdout.split()) == (0, ["context_tokens", "2048"])
    assert "im_start" in run(home, "models", "template", MODEL).stdout
    for wrong in ("temprature=1", "temperature=99", "temperature", "draft_model=nobody", "chat_template=/nowhere/t"):
        refused = run(home, "models", "set", MODEL, wrong)
        assert refused.returncode in (1, 2)
        assert refused.stderr.startswith("Error: ")
        assert "Traceback" not in refused.stderr


def test_a_model_that_is_removed_leaves_no_settings_to_the_next_of_its_name(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "tiny.gguf"
    file.write_bytes(gguf())
    assert run(home, "models", "import", str(file)).returncode == 0
    assert run(home, "models", "set", "tiny", "top_k=3", f"chat_template={_written(tmp_path)}").returncode == 0
    assert run(home, "models", "rm", "tiny", "--yes").returncode == 0
    run(home, "models", "import", str(file))
    assert "Nothing is set" in run(home, "models", "set", "tiny").stdout


def _written(folder: Path) -> Path:
    path = folder / "t.jinja"
    path.write_text(WITHOUT_TOOLS, "utf-8")
    return path


def test_the_command_line_checks_a_template(tmp_path: Path) -> None:
    home, template = tmp_path / "home", _written(tmp_path)
    assert "tools             yes" in run(home, "models", "template", MODEL, "--check").stdout
    run(home, "models", "set", MODEL, f"chat_template={template}")
    told = run(home, "models", "template", MODEL, "--check").stdout
    assert "tools             no" in told
    assert "It knows no tools" in told


async def test_what_the_command_line_sets_a_running_server_takes_up(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load({"port": 0, "context_tokens": 1024, "threads": 1}, environ={"PADDOCK_HOME": str(home)})
    async with running(settings) as studio, httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=60) as http:
        run(home, "models", "set", MODEL, "temperature=0.5")
        answer = await http.post(
            "/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        )
        assert answer.headers["x-paddock-sampling"] == "set for this model: temperature 0.5"
