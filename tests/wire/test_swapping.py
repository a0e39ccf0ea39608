"""Tests that a second model takes the first one's place without harm to whoever uses either."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from paddock.values import Value
from tests.fakes.scripted_shapes import Script
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, client, pieces, scripted_studio
from tests.wire.test_bad_input import bundled
from tests.wire.test_bytes import DONE, WORDS

pytestmark = pytest.mark.anyio
SECOND = "second"


@asynccontextmanager
async def two_models(folder: Path, script: Script | None = None, **flags: Value) -> AsyncGenerator[Rig]:
    """Paddock with the bundled model and a copy of it under another id, of which one may be loaded at a time."""
    models = folder / "home" / "models"
    models.mkdir(parents=True)
    shutil.copy(bundled(), models / f"{SECOND}.gguf")
    journal: Script = {"journal": str(folder / "journal")}
    settings: dict[str, Any] = {"models_most": 1, **flags}
    async with scripted_studio(folder, script={**journal, **(script or {})}, **settings) as rig:
        yield rig


def starts_in(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "journal").read_text().splitlines()]


def alias_of(start: Any) -> str:
    return start["argv"][start["argv"].index("--alias") + 1]


async def test_models_take_turns_and_one_engine_runs_at_a_time(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        for model in (SECOND, "pocket-v0", SECOND, SECOND, "pocket-v0"):
            response = await rig.chat(model=model)
            assert response.status_code == 200, response.text
            assert response.json()["model"] == model
            assert sum(psutil.pid_exists(start["pid"]) for start in starts_in(tmp_path)) == 1
        assert [alias_of(start) for start in starts_in(tmp_path)] == [
            "pocket-v0", SECOND, "pocket-v0", SECOND, "pocket-v0",
        ]  # fmt: skip


async def test_a_model_in_use_is_not_taken_away(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig, client(rig.studio.url) as other:
        await rig.script(pieces(*([WORDS] * 10), DONE, gap_s=0.05))
        streams: list[bytes] = []

        async def read() -> None:
            streams.append(await rig.stream())

        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await rig.engine.until(lambda record: record["hits"].get(CHAT))
                assert (await other.post(CHAT, json={"messages": [USER], "model": SECOND})).status_code == 200
                assert streams == [WORDS * 10 + DONE]


async def test_those_who_ask_for_either_model_are_all_served(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        answered: list[str] = []

        async def ask(model: str) -> None:
            response = await rig.chat(model=model)
            assert response.status_code == 200, response.text
            answered.append(response.json()["model"])

        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                for n in range(12):
                    group.start_soon(ask, SECOND if n % 3 else "pocket-v0")
        assert sorted(answered) == sorted([SECOND] * 8 + ["pocket-v0"] * 4)


async def test_who_leaves_while_waiting_for_another_model_holds_nobody_up(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await rig.script({**pieces(WORDS), "end": "stall"})
        asked = {"messages": [USER], "stream": True}
        with anyio.fail_after(HANG_GUARD_S):
            async with (
                rig.http.stream("POST", CHAT, json=asked),
                rig.http.stream("POST", CHAT, json={**asked, "model": SECOND}) as waiting,
            ):
                assert waiting.status_code == 200
            await rig.engine.until(lambda record: record["requests"][0]["closed_s"])
            assert (await rig.chat(model=SECOND)).json()["model"] == SECOND
            assert (await rig.chat()).json()["model"] == "pocket-v0"
