"""Tests that what slots hold is saved and restored around a swap, and that no fault in that is anybody else's."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.engine.slot_files import ABANDONED_S
from tests.fakes.scripted_shapes import Answer, Script
from tests.wire.rig import HANG_GUARD_S, Rig, body_of, killed
from tests.wire.test_swapping import SECOND, two_models

pytestmark = pytest.mark.anyio
FIRST = "pocket-v0"
SAVED: Script = {"slot_tokens": [500, 20]}
HALF_AND_GONE: Answer = {"no_head": True, "end": "crash"}


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "home" / "slots").iterdir())


async def ask(rig: Rig, model: str) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        response = await rig.chat(model=model)
    assert response.status_code == 200, response.text
    assert response.json()["model"] == model


async def swapped_away(rig: Rig, script: Script) -> None:
    """The first model's engine follows the script while it goes for the second."""
    await rig.engine_of(FIRST).set(script)
    await ask(rig, SECOND)


async def asked_of(rig: Rig) -> list[tuple[str, str]]:
    """Path and query of what the first model's engine was asked, but for what paddock always asks."""
    seen = (await rig.engine_of(FIRST).record())["requests"]
    return [(one["path"], one["query"]) for one in seen if one["path"] != "/props"]


async def test_a_slot_is_saved_before_its_engine_goes_and_restored_before_the_first_request(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, SAVED)
        (name,) = files_in(tmp_path)
        await ask(rig, FIRST)
        assert await asked_of(rig) == [("/slots/0", "action=restore"), ("/v1/chat/completions", "")]
        assert body_of((await rig.engine_of(FIRST).seen("/slots/0"))[0]) == {"filename": name}


async def test_a_restored_slot_that_nobody_used_keeps_its_file(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, SAVED)
        before = files_in(tmp_path)
        await ask(rig, FIRST)
        await ask(rig, SECOND)
        assert files_in(tmp_path) == before


async def test_a_slot_that_was_used_again_takes_the_place_of_its_file(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, SAVED)
        before = files_in(tmp_path)
        await ask(rig, FIRST)
        await swapped_away(rig, SAVED)
        assert len(files_in(tmp_path)) == 1
        assert files_in(tmp_path) != before


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 500, "json": {"error": {"message": "Unable to save slot"}}}, id="refused"),
        pytest.param({"wait_s": None}, id="never answered"),
        pytest.param(HALF_AND_GONE, id="died in the midst"),
        pytest.param({"json": {"n_saved": 500, "n_written": 5}}, id="not as long as it says"),
        pytest.param({"json": ["what?"]}, id="no answer of ours"),
    ],
)
async def test_a_save_that_fails_leaves_nothing_and_holds_nobody_up(tmp_path: Path, answer: Answer) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, {**SAVED, "routes": {"/slots/0": [answer]}})
        assert files_in(tmp_path) == []
        await ask(rig, FIRST)
        assert await asked_of(rig) == [("/v1/chat/completions", "")]


async def test_an_engine_that_does_not_say_what_it_holds_goes_all_the_same(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, {"routes": {"/slots": [{"wait_s": None}]}})
        assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 400, "json": {"error": {"message": "Unable to restore slot"}}}, id="refused"),
        pytest.param(HALF_AND_GONE, id="died of it"),
    ],
)
async def test_a_file_that_an_engine_does_not_take_is_removed_and_the_request_answered(
    tmp_path: Path, answer: Answer
) -> None:
    async with two_models(tmp_path, {"routes": {"/slots/0": [answer]}}) as rig:
        await swapped_away(rig, SAVED)
        assert len(files_in(tmp_path)) == 1
        await ask(rig, FIRST)
        assert files_in(tmp_path) == []


async def test_an_engine_that_crashes_saves_nothing_and_takes_with_it_what_it_had_restored(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await swapped_away(rig, SAVED)
        await ask(rig, FIRST)
        await rig.engine_of(FIRST).set(SAVED)
        pid = rig.studio.pool.residents[FIRST].engine.pid
        assert pid is not None
        await killed(pid)
        await ask(rig, FIRST)
        assert files_in(tmp_path) == []
        assert await asked_of(rig) == [("/v1/chat/completions", "")]


async def test_a_model_whose_file_changed_meanwhile_reads_anew(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await ask(rig, SECOND)
        await rig.engine_of(SECOND).set(SAVED)
        await ask(rig, FIRST)
        assert len(files_in(tmp_path)) == 1
        os.utime(tmp_path / "home" / "models" / f"{SECOND}.gguf", (1, 1))
        await ask(rig, SECOND)
        assert await rig.engine_of(SECOND).seen("/slots/0") == []


async def test_a_model_whose_file_changed_while_it_ran_is_not_saved(tmp_path: Path) -> None:
    async with two_models(tmp_path) as rig:
        await ask(rig, SECOND)
        await rig.engine_of(SECOND).set(SAVED)
        os.utime(tmp_path / "home" / "models" / f"{SECOND}.gguf", (1, 1))
        await ask(rig, FIRST)
        assert files_in(tmp_path) == []


async def test_what_a_killed_paddock_was_writing_goes_at_the_start_and_what_another_writes_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "home" / "slots"
    folder.mkdir(parents=True)
    for name, age_s in (("draft-old", ABANDONED_S + 1), ("draft-new", 0)):
        (folder / name).write_bytes(b"half")
        written_s = time.time() - age_s
        os.utime(folder / name, (written_s, written_s))
    async with two_models(tmp_path):
        with anyio.fail_after(HANG_GUARD_S):
            while files_in(tmp_path) != ["draft-new"]:
                await anyio.sleep(0.005)


async def test_where_nothing_is_to_be_kept_the_engine_is_not_even_told_a_folder(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"slot_cache_bytes": 0}
    async with two_models(tmp_path, **settings) as rig:
        await swapped_away(rig, SAVED)
        assert "--slot-save-path" not in (tmp_path / "journal").read_text("utf-8")
        assert not (tmp_path / "home" / "slots").exists()
