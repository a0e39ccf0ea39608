"""Tests the agent programs themselves, on an engine whose model's acts are set: write a file, read it back, say so."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.clients.programs import CLOSING, PROGRAMS, TASK, WORDS, Place, Program, aider, run
from tests.wire.rig import CHAT, body_of, scripted_studio

pytestmark = pytest.mark.anyio


@pytest.mark.rule("agents")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_a_program_completes_a_task_with_tools_in_two_turns(program: Program, tmp_path: Path) -> None:
    place = Place(url="", folder=tmp_path / "work", home=tmp_path / "home")
    for folder in (place.folder, place.home):
        folder.mkdir()
    async with scripted_studio(tmp_path, script={"plot": program.plot()}) as rig:
        await rig.engine.set({"plot": program.plot()})
        place = Place(url=rig.studio.url, folder=place.folder, home=place.home)
        done = await anyio.to_thread.run_sync(run, program.command(place), place)
        bodies = [body_of(seen) for seen in await rig.engine.seen(CHAT)]
    said = f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert (place.folder / "hello.txt").read_text("utf-8").strip() == WORDS, said
    assert CLOSING in done.stdout, said
    results = [m["content"] for m in bodies[-1]["messages"] if m["role"] == "tool"]
    assert len(results) == 2
    assert WORDS in str(results[-1])


@pytest.mark.rule("agents")
async def test_aider_completes_a_task_in_two_turns_without_tools(tmp_path: Path) -> None:
    place = Place(url="", folder=tmp_path / "work", home=tmp_path / "home")
    for folder in (place.folder, place.home):
        folder.mkdir()
    async with scripted_studio(tmp_path) as rig:
        place = Place(url=rig.studio.url, folder=place.folder, home=place.home)
        said = ""
        for message, answer in ((TASK, f"hello.txt\n```\n{WORDS}\n```\n"), ("What does hello.txt say?", CLOSING)):
            await rig.engine.set({"plot": [{"text": answer}]})
            done = await anyio.to_thread.run_sync(run, aider(place, message), place)
            said = f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            assert done.returncode == 0, said
            assert (place.folder / "hello.txt").read_text("utf-8").strip() == WORDS, said
        body = body_of((await rig.engine.seen(CHAT))[-1])
    assert CLOSING in said
    assert any(WORDS in str(message["content"]) for message in body["messages"] if message["role"] == "user")
