"""Tests what an engine is told of adapters, in every dialect, and that a new one is taken up without harm to anyone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fakes.adapter_files import adapter
from tests.wire.rig import CHAT, COMPLETIONS, HANG_GUARD_S, USER, Json, Rig, body_of, client, pieces, scripted_studio
from tests.wire.test_bytes import DONE, WORDS
from tests.wire.test_swapping import starts_in

pytestmark = pytest.mark.anyio
MESSAGES, RESPONSES, COUNT = "/v1/messages", "/v1/responses", "/v1/messages/count_tokens"
ASKED: list[tuple[str, Json]] = [
    (CHAT, {"messages": [USER]}),
    (CHAT, {"messages": [USER], "stream": True}),
    (COMPLETIONS, {"prompt": "Hello"}),
    (MESSAGES, {"messages": [USER], "max_tokens": 8}),
    (RESPONSES, {"input": "Hello"}),
    ("/api/chat", {"messages": [USER], "stream": False}),
]
# By the name that is asked for, the scales of "brief" and "formal": of one size, they are loaded by name.
WANTED = {
    "pocket-v0+formal": [0.0, 1.0], "pocket-v0": [0.0, 0.0], "pocket-v0+brief+formal:-0.5": [1.0, -0.5],
}  # fmt: skip
REFUSED = [
    ("pocket-v0+frmal", 404, "no adapter 'frmal'"),
    ("pocket-v0+lost", 400, "'lost' does not fit 'pocket-v0'"),
    ("pocket-v0+formal:11", 400, "scale '11'"),
    ("pocket-v0+", 400, "no adapter after it"),
]


def lay(folder: Path, name: str, **how: Any) -> None:
    models = folder / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / f"{name}.gguf").write_bytes(adapter(**how))


@asynccontextmanager
async def tuned(folder: Path, *names: str, **flags: Any) -> AsyncGenerator[Rig]:
    for name in names:
        lay(folder, name)
    async with scripted_studio(folder, script={"journal": str(folder / "journal")}, **flags) as rig:
        yield rig


def scales(body: Json) -> list[float]:
    assert [one["id"] for one in body["lora"]] == list(range(len(body["lora"])))
    return [one["scale"] for one in body["lora"]]


async def test_the_engine_is_started_with_what_fits_and_applies_none_by_itself(tmp_path: Path) -> None:
    lay(tmp_path, "lost", architecture="gemma3")
    async with tuned(tmp_path, "formal", "brief"):
        argv = starts_in(tmp_path)[0]["argv"]
        assert "--lora-init-without-apply" in argv
        paths = argv[argv.index("--lora") + 1].split(",")
        assert [Path(path).stem for path in paths] == ["brief", "formal"]


async def test_every_dialect_tells_the_engine_the_scale_of_each_adapter(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal", "brief") as rig:
        for path, asked in ASKED:
            for name, wanted in WANTED.items():
                answer = await rig.post({**asked, "model": name}, path)
                assert answer.status_code == 200, answer.text
                reached = COMPLETIONS if path == COMPLETIONS else CHAT
                assert scales(body_of((await rig.engine.seen(reached))[-1])) == wanted, (path, name)
                assert answer.headers.get("x-paddock-model") == ("pocket-v0" if "+" in name else None)
                assert (name or "pocket-v0") in answer.text
        assert len(starts_in(tmp_path)) == 1


async def test_without_adapters_the_engine_is_told_nothing_of_them(tmp_path: Path) -> None:
    async with tuned(tmp_path) as rig:
        assert "lora" not in await rig.forwarded()
        assert "--lora" not in starts_in(tmp_path)[0]["argv"]


async def test_tokens_are_counted_for_a_tuned_model(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal") as rig:
        plain, over = [
            (await rig.post({"model": name, "messages": [USER]}, COUNT)).json()
            for name in ("pocket-v0", "pocket-v0+formal")
        ]
        assert plain == over
        assert plain["input_tokens"] > 0


async def test_bad_names_are_refused_in_every_dialect(tmp_path: Path) -> None:
    lay(tmp_path, "lost", architecture="gemma3")
    async with tuned(tmp_path, "formal") as rig:
        for path, asked in [*ASKED, (COUNT, {"messages": [USER]})]:
            for name, status, told in REFUSED:
                answer = await rig.post({**asked, "model": name}, path)
                assert (answer.status_code, told in answer.text) == (status, True), (path, answer.text)
        assert (await rig.engine.record())["requests"] == []


async def test_the_engines_own_field_is_refused_by_name(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal") as rig:
        answer = await rig.chat(lora=[{"id": 0, "scale": 1}])
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "lora"


async def test_tuned_models_are_listed_with_their_base(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal") as rig:
        listed = (await rig.http.get("/v1/models")).json()["data"]
        assert [(one["id"], one.get("base"), one["loaded"]) for one in listed] == [
            ("pocket-v0", None, True),
            ("pocket-v0+formal", "pocket-v0", True),
        ]
        lay(tmp_path, "brief")
        one = (await rig.http.get("/v1/models/pocket-v0+brief:0.5")).json()
        assert (one["id"], one["base"], one["loaded"]) == ("pocket-v0+brief:0.5", "pocket-v0", False)


async def test_an_adapter_that_arrives_is_taken_up_once_nobody_uses_the_engine(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal") as rig, client(rig.studio.url) as other:
        assert (await rig.http.post("/api/models/pocket-v0/pin")).status_code == 200
        await rig.script(pieces(*([WORDS] * 10), DONE, gap_s=0.05))
        streams: list[bytes] = []

        async def read() -> None:
            streams.append(await rig.stream())

        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await rig.engine.until(lambda record: record["hits"].get(CHAT))
                lay(tmp_path, "brief")
                answer = await other.post(CHAT, json={"messages": [USER], "model": "pocket-v0+brief"})
                assert answer.status_code == 200, answer.text
                assert answer.json()["model"] == "pocket-v0+brief"
                assert streams == [WORDS * 10 + DONE]
        assert len(starts_in(tmp_path)) == 2
        assert scales(body_of((await rig.engine.seen())[-1])) == [1.0, 0.0]
        assert rig.studio.pool.residents["pocket-v0"].is_pinned


async def test_many_who_ask_for_a_new_adapter_at_once_cost_one_reload(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal") as rig:
        lay(tmp_path, "brief")

        async def ask(name: str) -> None:
            answer = await rig.chat(model=name)
            assert answer.status_code == 200, answer.text

        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                for name in ("pocket-v0+brief", "pocket-v0", "pocket-v0+formal", "pocket-v0+brief+formal") * 3:
                    group.start_soon(ask, name)
        assert len(starts_in(tmp_path)) == 2
        assert rig.studio.pool.waiting == []


async def test_an_adapter_that_cannot_be_loaded_any_more_is_refused_and_its_model_is_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "formal.gguf").write_bytes(adapter())
    async with tuned(tmp_path, model_folders=str(elsewhere)) as rig:
        assert (await rig.chat(model="pocket-v0+formal")).status_code == 200
        (elsewhere / "formal.gguf").unlink()
        assert (await rig.chat(model="pocket-v0+formal")).status_code == 200  # the engine has it
        assert (await rig.http.post("/api/models/pocket-v0/unload")).status_code == 200
        answer = await rig.chat(model="pocket-v0+formal")
        assert (answer.status_code, "its file is gone" in answer.text) == (400, True), answer.text
        assert (await rig.chat()).status_code == 200


async def test_ollamas_list_and_the_fit_tell_of_adapters(tmp_path: Path) -> None:
    async with tuned(tmp_path, "formal", warm=False) as rig:
        tags = (await rig.http.get("/api/tags")).json()["models"]
        assert [one["name"] for one in tags] == ["pocket-v0", "pocket-v0+formal"]
        assert (await rig.post({"model": "pocket-v0+formal"}, "/api/show")).status_code == 200
        fit = (await rig.http.get("/api/models/pocket-v0+formal/fit")).json()
        assert (fit["model"], fit["memory"]["adapter_bytes"] > 0) == ("pocket-v0+formal", True)
