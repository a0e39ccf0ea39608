"""Tests models whose chat template was written to harm, on the real engine: it reads nothing, and it stops nobody else.

The engine renders templates itself, in C++ (`common/jinja` of llama.cpp); no Jinja of Python's is in paddock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest

from paddock.app import Studio, running
from paddock.config import load
from paddock.engine.flags import EngineFlags
from paddock.engine.plan import EnginePlan
from paddock.engine.policy import Limits
from paddock.engine.pool import Pool
from paddock.engine.runaways import Leniency
from paddock.errors import EngineFailedToStart, EngineUnreachable
from paddock.models.catalog import BUNDLED
from tests.engine import environ
from tests.fakes.templates import templated

pytestmark = [pytest.mark.anyio, pytest.mark.attack("malicious chat templates")]
HOSTILE, OTHER = "hostile", "pocket-v0"
CHAT = "/v1/chat/completions"
GUARD_S = 60
MIB = 2**20
_MANY = "range(100000) %}"
LOOP = "".join(f"{{% for {name} in {_MANY}" for name in "abc") + "{% endfor %}" * 3
ON_GO = "{% if messages[-1].content == 'go' %}" + LOOP + "{% endif %}{{ messages[-1].content }}"
GO: dict[str, Any] = {"model": HOSTILE, "max_tokens": 1, "messages": [{"role": "user", "content": "go"}]}

# Ways to what is behind a template: the interpreter, its modules, the process, files.
INSIDE = {
    "classes": "{{ messages.__class__ }}|{{ ''.__class__.__mro__ }}|{{ ''['__class__'] }}|{{ self }}",
    "subclasses": "{{ ''.__class__.__base__.__subclasses__() }}",
    "globals": "{{ lipsum.__globals__ }}|{{ cycler.__init__.__globals__ }}|{{ joiner.__init__.__globals__ }}",
    "a command": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "the environment": "{{ cycler.__init__.__globals__.os.environ }}|{{ environ }}|{{ os }}|{{ config }}|{{ request }}",
    "builtins": "{{ namespace.__init__.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
    "a filter": "{{ '' | attr('__class__') }}|{{ messages | map(attribute='__class__') | list }}",
    "a format": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}|{{ '%s' % messages.__class__ }}",
    "a file": "{% include '/etc/passwd' %}",
    "a file it extends": "{% extends '/etc/passwd' %}",
    "a module": "{% import 'os' as os %}{{ os.environ }}",
    "a part of a module": "{% from 'os' import system %}{{ system('id') }}",
    "debug": "{% debug %}",
    "its context": "{{ self._TemplateReference__context }}|{{ self.__dict__ }}",
}
# What a way in would show.
LEAKS = ("<class", "<module", "<function", "<built-in", "root:", "uid=", "PATH", "__init__", "object at 0x")

# Templates that neither end nor answer, or end their process.
BROKEN = {
    "no end": "{% for m in messages %}",
    "a macro that calls itself": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "many parentheses": "{{ " + "(" * 20000 + "1" + ")" * 20000 + " }}",
    "many lists": "{{ " + "[" * 50000 + "]" * 50000 + " }}",
    "many negations": "{{ " + "not " * 100000 + "1 }}",
    "many conditions": "{% if 1 %}" * 20000 + "{% endif %}" * 20000,
    "a step of nothing": "{{ 'abc'[::0] }}",
    "a range beyond memory": "{{ range(10**12) | list | length }}",
    "a width beyond memory": "{{ 'a' | center(1000000000) }}",
    "a refusal": "{{ raise_exception('no') }}",
}


def _doubled(first: str, joined: str) -> str:
    twice = "{% for i in range(60) %}{% set n.s = n.s " + joined + " n.s %}{% endfor %}"
    return "{% set n = namespace(s=" + first + ") %}" + twice + "{{ n.s | length }}"


ENDLESS = {
    "a loop": LOOP,
    "a long range": "{% for i in range(1000000000000) %}{% endfor %}",
    "a product": "{{ 'a' * 10000000000 }}",
    "an indent": "{{ 'a\nb' | indent(1000000000) }}",
    "a text that doubles": _doubled("'a'", "~"),
    "a list that doubles": _doubled("[1]", "+"),
    "endless output": "{% for i in range(100000000) %}" + "a" * 50 + "{% endfor %}",
}


@asynccontextmanager
async def serving(folder: Path, template: str, **flags: Any) -> AsyncGenerator[tuple[Studio, httpx.AsyncClient]]:
    """Paddock with the bundled model, and a copy of it with this template."""
    models = folder / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    templated(BUNDLED[OTHER], models / f"{HOSTILE}.gguf", template)
    common: dict[str, Any] = {"port": 0, "threads": 1, "slots": 1, "context_tokens": 512, "scan_others": False}
    settings = load({**common, **flags}, environ=environ(folder / "home"))
    async with (
        running(settings) as studio,
        httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=GUARD_S) as http,
    ):
        yield studio, http


async def others_are_served(http: httpx.AsyncClient) -> None:
    """The other model answers, the catalogue lists, the text of the template is shown."""
    asked = {"model": OTHER, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
    assert (await http.post(CHAT, json=asked)).status_code == 200
    assert HOSTILE in (await http.get("/v1/models")).text
    assert HOSTILE in (await http.get("/api/models")).text
    shown = await http.get(f"/api/models/{HOSTILE}/chat-template")
    assert (shown.status_code, shown.json()["from"]) == (200, "model")


async def until(is_so: Callable[[], object]) -> None:
    with anyio.fail_after(GUARD_S):
        while not is_so():
            await anyio.sleep(0.02)


def pid_of(studio: Studio) -> int | None:
    resident = studio.pool.residents.get(HOSTILE)
    return resident.engine.pid if resident else None


async def test_a_template_reaches_nothing_behind_it(tmp_path: Path) -> None:
    for number, template in enumerate(INSIDE.values()):
        async with serving(tmp_path / str(number), "{{ messages[-1].content }}" + template) as (_, http):
            rendered = await http.post("/apply-template", json=GO)
            # Its undefined names are empty texts, or it is refused in the engine's words.
            assert rendered.status_code in (200, 502), rendered.text
            told = rendered.json()["prompt"] if rendered.status_code == 200 else rendered.json()["error"]["message"]
            assert not [leak for leak in LEAKS if leak in told.replace("__init__.__globals__", "")], told
            assert not [value for value in os.environ.values() if len(value) > 8 and value in told], told
            assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize("name", BROKEN)
async def test_a_template_that_breaks_its_engine_breaks_nothing_else(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path, BROKEN[name]) as (studio, http):
        refused = await http.post(CHAT, json=GO)
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "engine_failed_to_start")
        await others_are_served(http)
        assert pid_of(studio) is None


async def test_a_refused_template_is_told_of_with_the_reason(tmp_path: Path) -> None:
    async with serving(tmp_path, "{% include '/etc/passwd' %}") as (_, http):
        message = (await http.post(CHAT, json=GO)).json()["error"]["message"]
        assert "chat_template=FILE" in message
        assert "Unknown statement: include" in message
        assert "--no-jinja" not in message


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_load_that_never_ends_is_ended(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path, ENDLESS[name], load_timeout_s=2.0) as (studio, http):
        refused: list[httpx.Response] = []
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                refused.append(await http.post(CHAT, json=GO))

            group.start_soon(ask)
            await until(lambda: pid_of(studio))
            await others_are_served(http)
        assert (refused[0].status_code, refused[0].json()["error"]["code"]) == (502, "engine_failed_to_start")
        assert pid_of(studio) is None


async def test_a_load_that_never_ends_is_ended_by_whoever_unloads_it(tmp_path: Path) -> None:
    async with serving(tmp_path, LOOP) as (studio, http):
        request = http.build_request("POST", CHAT, json={**GO, "stream": True})
        answer = await http.send(request, stream=True)
        await until(lambda: pid_of(studio))
        assert (await http.post(f"/api/models/{HOSTILE}/unload")).status_code == 200
        assert "model_unloaded" in (await answer.aread()).decode()
        assert pid_of(studio) is None


ASKED = {
    "a chat": (CHAT, GO),
    "a stream": (CHAT, {**GO, "stream": True}),
    "messages": ("/v1/messages", GO),
    "a count": ("/v1/messages/count_tokens", GO),
    "another count": ("/v1/chat/completions/input_tokens", GO),
    "a rendering": ("/apply-template", GO),
    "a response": ("/v1/responses", {"model": HOSTILE, "input": "go", "max_output_tokens": 1}),
}


@pytest.mark.parametrize("name", ASKED)
async def test_an_engine_that_loops_for_a_client_who_left_is_replaced(tmp_path: Path, name: str) -> None:
    path, body = ASKED[name]
    async with serving(tmp_path, ON_GO, abandoned_timeout_s=0.5) as (studio, http):
        first = {**GO, "messages": [{"role": "user", "content": "Hello"}]}
        assert (await http.post(CHAT, json=first)).status_code == 200
        pid = pid_of(studio)
        with anyio.move_on_after(0.5):
            await http.post(path, json=body)
            raise AssertionError("it answered")
        await others_are_served(http)
        await until(lambda: pid_of(studio) != pid)
        assert pid is not None
        assert not psutil.pid_exists(pid)
        assert (await http.post(CHAT, json=first)).status_code == 200


@pytest.mark.parametrize("name", ["a chat", "a stream", "a count", "another count", "a rendering"])
async def test_a_client_who_waits_for_a_loop_is_told_and_its_engine_replaced(tmp_path: Path, name: str) -> None:
    path, body = ASKED[name]
    async with serving(tmp_path, ON_GO, abandoned_timeout_s=0.5, answer_timeout_s=1.5) as (studio, http):
        assert (await http.post(f"/api/models/{HOSTILE}/load")).status_code == 200
        pid = pid_of(studio)
        told = await http.post(path, json=body)
        assert "answer_timeout_s" in told.text
        assert told.status_code == (504 if name != "a stream" else told.status_code)
        await until(lambda: pid_of(studio) != pid)


async def test_an_engine_that_others_use_is_replaced_once_they_are_done(tmp_path: Path) -> None:
    async with serving(tmp_path, ON_GO, abandoned_timeout_s=0.4, answer_timeout_s=2.0, slots=2) as (studio, http):
        story = {"model": HOSTILE, "stream": True, "messages": [{"role": "user", "content": "Tell me a long story."}]}
        assert (await http.post(f"/api/models/{HOSTILE}/pin")).status_code == 200
        pid = pid_of(studio)
        with anyio.move_on_after(0.3):
            await http.post(CHAT, json=GO)
        # Somebody is always there, until the engine is to be replaced: those who come then get the new one.
        pids = set[int | None]()
        while len(pids) < 2:
            answer = await http.post(CHAT, json={**story, "max_tokens": 40})
            assert answer.status_code == 200
            assert '"error"' not in answer.text
            pids.add(pid_of(studio))
        assert pid in pids
        assert studio.pool.residents[HOSTILE].is_pinned


async def test_a_check_of_a_template_that_loops_ends_and_says_so(tmp_path: Path) -> None:
    template = (
        "{% if 'paddock-hears-hello' in (messages[1:] | map(attribute='content') | join(' ')) %}"
        + LOOP
        + "{% endif %}x"
    )
    async with serving(tmp_path, template, abandoned_timeout_s=0.5, answer_timeout_s=1.0) as (studio, http):
        told = (await http.get(f"/api/models/{HOSTILE}/template")).json()
        assert "did not end within 1 s" in told["lacks"][0]
        assert not any(told["renders"].values())
        await until(lambda: pid_of(studio) is None)


async def test_a_prompt_that_a_template_blows_up_does_not_fit(tmp_path: Path) -> None:
    template = "{% for i in range(20000) %}" + "a" * 50 + "{% endfor %}{{ messages[-1].content }}"
    template = "{% if messages[-1].content == 'go' %}" + template + "{% endif %}{{ messages[-1].content }}"
    async with serving(tmp_path, template) as (_, http):
        refused = await http.post(CHAT, json=GO)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
        await others_are_served(http)


@asynccontextmanager
async def pooled(path: Path) -> AsyncGenerator[Pool]:
    """A pool of this one model, which may take little memory more than is planned."""
    flags = EngineFlags(
        model_path=str(path), alias=HOSTILE, context_tokens=512, slots=1, batch_tokens=64, ubatch_tokens=64, threads=1
    )
    plan = EnginePlan(flags=flags, memory_bytes=100 * MIB)
    limits = Limits(memory_budget_bytes=2**40, models_most=0, queue_most=8, queue_patience_s=5, idle_unload_s=0)
    leniency = Leniency(idle_s=0.4, used_s=GUARD_S, spare_bytes=200 * MIB)
    async with anyio.create_task_group() as tasks:
        pool = Pool(
            plan_for=lambda _: plan, limits=lambda: limits, tasks=tasks, load_timeout_s=GUARD_S, leniency=leniency
        )
        try:
            with anyio.fail_after(GUARD_S):
                yield pool
        finally:
            await pool.close()


async def test_a_load_that_takes_memory_without_end_is_ended(tmp_path: Path) -> None:
    async with pooled(templated(BUNDLED[OTHER], tmp_path / "x.gguf", ENDLESS["a text that doubles"])) as pool:
        with pytest.raises(EngineFailedToStart, match="MiB were planned"):
            await pool.pin(HOSTILE)


async def test_a_request_that_takes_memory_without_end_ends_its_engine(tmp_path: Path) -> None:
    template = "{% if messages[-1].content == 'go' %}" + ENDLESS["a text that doubles"] + "{% endif %}x"
    path = templated(BUNDLED[OTHER], tmp_path / "x.gguf", template)
    async with pooled(path) as pool, pool.lease(HOSTILE) as lease:
        with pytest.raises(EngineUnreachable):
            await lease.client.ask(lease.endpoint, "/apply-template", GO)
        await lease.resident.engine.settle(lease.endpoint.generation, timeout_s=GUARD_S)
        with pytest.raises(EngineFailedToStart, match="MiB were planned"):
            await lease.resident.ensure_ready()


def test_the_kernel_ends_engines_before_anything_else(tmp_path: Path) -> None:
    told = "from paddock.engine.child import be_ended_first as b; b(); print(open('/proc/self/oom_score_adj').read())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert int(done.stdout) > int(Path("/proc/self/oom_score_adj").read_text())
