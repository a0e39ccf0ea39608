"""Tests the life of an engine process as clients and the machine see it: starts, failures, crashes, and the end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.fakes.scripted_shapes import Script
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, errors_of, is_dead, killed, pieces, scripted_studio
from tests.wire.test_bytes import WORDS

pytestmark = pytest.mark.anyio


def starts_in(journal: Path) -> list[Any]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


async def test_the_engine_is_started_with_the_flags_it_knows(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    flags: dict[str, Any] = {"slots": 3, "context_tokens": 256, "batch_tokens": 64, "threads": 1}
    async with scripted_studio(tmp_path, script={"journal": str(journal)}, **flags) as rig:
        argv = starts_in(journal)[0]["argv"]
        given = dict(zip(argv[argv.index("--model") :: 2], argv[argv.index("--model") + 1 :: 2], strict=True))
        assert given.pop("--model").endswith(".gguf")
        assert given == {
            "--alias": "pocket-v0", "--ctx-size": "768", "--parallel": "3", "--batch-size": "64", "--ubatch-size": "64",
            "--ctx-checkpoints": "32", "--threads": "1", "--slot-save-path": str(tmp_path / "home" / "slots"),
        }  # fmt: skip
        model = (await rig.http.get("/v1/models/pocket-v0")).json()
        assert model["context_length"] == 256


async def test_the_key_is_on_no_command_line_and_in_no_environment(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.chat()
        (seen,) = await rig.engine.seen()
        key = dict(seen["headers"])["Authorization"].removeprefix("Bearer ")
        process = psutil.Process(rig.process.pid)
        assert len(key) >= 32
        assert key not in " ".join(process.cmdline())
        assert key not in str(process.environ())


FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "its own words": ({"then": "fail", "message": "unknown architecture 'llama9'"}, "architecture 'llama9'", ""),
    "out of memory": ({"then": "exit", "stderr": ["E: failed to allocate 99 GiB"]}, "memory", "failed to allocate"),
    "killed for memory": ({"then": "signal", "signal": int(signal.SIGKILL)}, "memory", ""),
    "segmentation fault": ({"then": "signal", "signal": int(signal.SIGSEGV)}, "crashed", ""),
    "missing library": (
        {"then": "exit", "code": 127, "stderr": ["libgomp.so.1: cannot open shared object file"]}, "library", "libgomp",
    ),
    "unknown flag": ({"then": "exit", "code": 2, "stderr": ["error: unrecognized arguments: --x"]}, "flags", "--x"),
    "bad file": (
        {"then": "exit", "stderr": ["load: error loading model: /srv/secret/x.gguf corrupted or incomplete"]},
        "model file", "corrupted",
    ),
    "silent end": ({"then": "exit", "code": 0}, "could not be started", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_start_is_told_in_the_engines_own_words(tmp_path: Path, name: str, stream: bool) -> None:
    start, kind, words = FAILURES[name]
    script: Script = json.loads(json.dumps({"starts": [start]}))
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        if stream:
            (error,) = errors_of(await rig.stream())
        else:
            response = await rig.chat()
            assert response.status_code == 502
            error = response.json()["error"]
        assert error["code"] == "engine_failed_to_start"
        assert "pocket-v0" in error["message"]
        assert kind in error["message"]
        assert words in error["message"]
        assert "/srv" not in error["message"]
        assert str(tmp_path) not in error["message"]


async def test_an_engine_that_never_gets_ready_is_ended_at_the_deadline(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"then": "silent", "stubborn": True}]}
    async with scripted_studio(tmp_path, script=script, warm=False, load_timeout_s=0.5) as rig:
        response = await rig.chat()
        assert (response.status_code, response.json()["error"]["code"]) == (502, "engine_failed_to_start")
        assert "load_timeout_s" in response.json()["error"]["message"]
        assert not psutil.pid_exists(starts_in(journal)[0]["pid"]) or is_dead(starts_in(journal)[0]["pid"])


async def test_what_an_engine_prints_before_it_is_ready_does_not_confuse(tmp_path: Path) -> None:
    noise = ["Hello", "{}", "[1]", '{"event": 5', "null", '"ready"', "\N{LLAMA}"]
    async with scripted_studio(tmp_path, script={"starts": [{"stdout": noise, "stderr": ["x" * 200_000]}]}) as rig:
        assert (await rig.chat()).status_code == 200


async def test_an_engine_that_prints_much_is_never_blocked_by_it(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, script={"starts": [{"chatter_bytes": 400_000}]}, answer_timeout_s=5) as rig:
        assert (await rig.chat()).status_code == 200


async def test_a_failing_engine_is_not_started_again_for_every_request(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"then": "exit", "code": 3}]}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        for _ in range(30):
            assert (await rig.chat()).status_code == 502
        assert len(starts_in(journal)) <= 3


async def test_after_its_back_off_a_failed_engine_is_tried_again(tmp_path: Path) -> None:
    script: Script = {"journal": str(tmp_path / "journal"), "starts": [{"then": "exit", "code": 3}, {}]}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        assert (await rig.chat()).status_code == 502
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.chat()).status_code != 200:
                await anyio.sleep(0.05)


async def test_each_crash_while_serving_is_followed_by_a_working_request(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        pids: set[int] = set()
        for _ in range(4):
            pid = rig.process.pid
            assert pid
            pids.add(pid)
            await killed(pid)
            assert (await rig.chat()).status_code == 200
        assert len(pids) == 4


async def test_an_engine_that_crashes_on_every_answer_does_not_loop(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    crash = {**pieces(WORDS), "end": "crash"}
    script: Script = json.loads(json.dumps({"journal": str(journal), "routes": {CHAT: [crash]}}))
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        for _ in range(3):
            assert len(errors_of(await rig.stream())) == 1
        count = len(starts_in(journal))
        await anyio.sleep(1)
        assert len(starts_in(journal)) == count <= 4


async def ends_with(rig: Rig) -> int:
    assert rig.process.pid
    return rig.process.pid


@pytest.mark.parametrize("stubborn", [False, True])
async def test_the_engine_ends_with_paddock_even_if_it_does_not_want_to(tmp_path: Path, stubborn: bool) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        async with scripted_studio(tmp_path, script={"starts": [{"stubborn": stubborn}]}) as rig:
            pid = await ends_with(rig)
        assert not psutil.pid_exists(pid)


async def test_paddock_ends_while_its_engine_is_starting(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script: Script = {"journal": str(journal), "starts": [{"delay_s": 60, "stubborn": True}]}
    with anyio.fail_after(HANG_GUARD_S):
        async with (
            scripted_studio(tmp_path, script=script, warm=False) as rig,
            rig.http.stream("POST", CHAT, json={"messages": [USER], "stream": True}) as response,
        ):
            assert response.status_code == 200
            while not journal.exists() or not starts_in(journal):
                await anyio.sleep(0.01)
    assert not psutil.pid_exists(starts_in(journal)[0]["pid"])


async def test_paddock_ends_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    with anyio.fail_after(HANG_GUARD_S):
        async with scripted_studio(tmp_path) as rig:
            await rig.script({**pieces(WORDS), "end": "stall"})
            pid = await ends_with(rig)
            request = rig.http.build_request("POST", CHAT, json={"messages": [USER], "stream": True})
            response = await rig.http.send(request, stream=True)
        await response.aclose()
        assert not psutil.pid_exists(pid)
