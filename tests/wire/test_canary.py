"""Tests the canary before a build becomes active, with scripted builds: what fails leaves the active one alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from paddock.cli.canary import Room, chosen, room_now
from paddock.config import load
from paddock.errors import EngineFailedToStart
from paddock.install.builds import installed_program
from paddock.install.expectations import meets
from paddock.install.installing import use_path
from paddock.install.pocket import pocket_flags
from paddock.install.trial import Pair, Patience, compare
from paddock.models.catalog import BUNDLED
from paddock.paths import Home
from tests.fakes.scripted_llama_server import Behaviour, lay_out
from tests.wire.rig import HANG_GUARD_S

MINE = "mine"
# For a whole canary up to its models, on a machine with other work.
WAIT_S = 150.0


class Here:
    """A data home with a model of the person's own, and an active build beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "a home ü"
        self.env = {**os.environ, "PADDOCK_HOME": str(self.home), "PADDOCK_SCAN_OTHERS": "false"}
        (self.home / "models").mkdir(parents=True)
        (self.home / "models" / f"{MINE}.gguf").hardlink_to(self._copied())
        self.active = use_path(self.build("good", {"version": "1 (good)"}), Home(root=self.home)).name

    def build(self, name: str, behaviour: Behaviour) -> Path:
        lay_out(self.folder / name, behaviour)
        return self.folder / name

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "paddock", "engine", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.env, capture_output=True, text=True, timeout=WAIT_S, check=False
        )

    def listed(self) -> Any:
        return json.loads(self.run("list", "--json").stdout)

    def starts(self, name: str) -> list[list[str]]:
        journal = self.folder / name / "build" / "bin" / "starts.jsonl"
        lines = journal.read_text("utf-8").splitlines() if journal.exists() else []
        return [json.loads(line)["words"] for line in lines]

    def _copied(self) -> Path:
        copy = self.folder / "copy.gguf"
        copy.write_bytes(BUNDLED["pocket-v0"].read_bytes())
        return copy


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_a_good_build_is_tried_on_clients_and_models_kept_and_shown(here: Here) -> None:
    done = here.run("use", "--path", str(here.build("new", {"says": "Hello there."})))
    assert done.returncode == 0, done.stderr
    for words in ("Canary, 1 of 3", "Canary, 2 of 3", "anthropic-python", "Canary, 3 of 3", f"{MINE} works: reading"):
        assert words in done.stderr
    assert "greedy text differs" in done.stderr
    told = here.listed()
    (new,) = [build for build in told["builds"] if build["name"] == told["active"]]
    assert told["previous"] == here.active
    record = new["canary"]
    assert (record["status"], record["against"], record["reasons"]) == ("passed", here.active, [])
    assert {one["status"] for one in [*record["expectations"], *record["clients"]]} == {"pass"}
    (trial,) = record["models"]
    assert (trial["model"], trial["says_the_same"]) == (MINE, False)
    assert trial["repetitions"] == [
        {"new": {"reading": 1000.0, "generation": 100.0}, "active": {"reading": 1000.0, "generation": 100.0}}
    ]
    assert "Not tried, since their prompts are long: claude-code" in record["notes"][0]
    rows = {row.split()[0]: row for row in here.run("list").stdout.splitlines()}
    assert " passed 2" in rows[new["name"]]
    assert " none " in rows[here.active]
    assert "8 clients, 1 model; mine works: reading 1000.0 against" in here.run("doctor").stdout


def test_a_slower_build_is_not_activated_and_can_be_used_anyway_without_another_look(here: Here) -> None:
    path = str(here.build("slow", {"generation_per_s": 60.0}))
    done = here.run("use", "--path", path)
    assert done.returncode == 8
    assert "generation below 0.7 x in each of 3 repetitions" in done.stderr
    assert "generation 60.0 against 100.0 tokens/s (0.60 x)" in done.stderr
    assert f"'{here.active}' stays active" in done.stderr
    told = here.listed()
    assert told["active"] == here.active
    (slow,) = [build["name"] for build in told["builds"] if build["name"] != here.active]
    before = len(here.starts("slow"))
    anyway = here.run("use", slow, "--anyway")
    assert anyway.returncode == 0, anyway.stderr
    assert "failed its canary before, and is used all the same" in anyway.stderr
    # Its probe alone.
    assert len(here.starts("slow")) == before + 1
    assert here.listed()["active"] == slow
    assert "warn  canary" in here.run("doctor").stdout
    back = here.run("use", "previous")
    assert "Canary" not in back.stderr
    assert here.listed()["active"] == here.active


def test_anyway_looks_all_the_same_and_uses_what_failed(here: Here) -> None:
    done = here.run("use", "--path", str(here.build("bad", {"ignores_schemas": True})), "--anyway", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["active"] == told["build"]["name"]
    assert told["build"]["canary"]["status"] == "failed"
    wrong = [one for one in told["build"]["canary"]["clients"] if one["status"] == "fail"]
    assert ["structure: " in one["reason"] for one in wrong if one["name"] == "instructor"] == [True]


def test_without_a_canary_that_is_told_and_kept(here: Here) -> None:
    done = here.run("use", "--path", str(here.build("new", {"streams_no_calls": True})), "--no-canary")
    assert done.returncode == 0, done.stderr
    assert "The canary is skipped" in done.stderr
    told = here.listed()
    (new,) = [build for build in told["builds"] if build["name"] == told["active"]]
    assert new["canary"]["status"] == "skipped"


FAULTS: dict[str, tuple[Behaviour, str]] = {
    "crashes on the person's model": ({"crashes_with": MINE}, "ggml_abort: scripted"),
    "calls no tool in a stream": ({"streams_no_calls": True}, "call: a call is not streamed as one"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_build_that_fails_is_not_activated(here: Here, name: str) -> None:
    behaviour, words = FAULTS[name]
    done = here.run("use", "--path", str(here.build("bad", behaviour)), "--json")
    assert done.returncode == 8
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "canary_failed"
    assert words in error["message"]
    told = here.listed()
    assert told["active"] == here.active
    (bad,) = [build for build in told["builds"] if build["name"] != here.active]
    assert bad["canary"]["status"] == "failed"


def test_ctrl_c_leaves_the_active_build_and_no_process(here: Here) -> None:
    path = str(here.build("hangs", {"hangs_with": MINE}))
    with subprocess.Popen(here.command("use", "--path", path), env=here.env, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + WAIT_S
        while not any(MINE in words for words in here.starts("hangs")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANG_GUARD_S)
    assert process.returncode == 130
    assert len(started) >= 2
    assert not [one for one in psutil.wait_procs(started, timeout=HANG_GUARD_S)[1] if one.is_running()]
    told = here.listed()
    assert told["active"] == here.active
    assert [build["canary"] for build in told["builds"] if build["name"] != here.active] == [None]


def test_a_build_of_ones_own_that_changed_is_tried_again_although_it_is_active(here: Here) -> None:
    path = here.build("own", {})
    assert here.run("use", "--path", str(path), "--no-canary").returncode == 0
    binary = lay_out(path, {"streams_no_calls": True})
    binary.write_bytes(binary.read_bytes() + b"# made anew\n")
    done = here.run("use", "--path", str(path))
    assert done.returncode == 8
    assert "which is active, changed and fails its canary" in done.stderr
    assert "failed on" in here.run("doctor").stdout


def test_a_model_that_nobody_has_is_told_before_anything_is_tried(here: Here) -> None:
    done = here.run("use", "--path", str(here.build("new", {})), "--models", "nothing")
    assert done.returncode == 1
    assert "'nothing'" in done.stderr
    assert here.starts("new") == []


def test_models_are_named_or_the_smallest_and_never_what_does_not_fit(here: Here) -> None:
    settings = load({}, environ=here.env)
    roomy = Room(memory_bytes=2**40)
    assert [one.model for one in chosen(settings, (), roomy)] == [MINE]
    (named,) = chosen(settings, ("pocket-v0",), roomy)
    assert named.plan is not None
    assert (named.plan.flags.slots, named.plan.flags.context_tokens) == (1, 2048)
    for small in (Room(memory_bytes=2**20), Room(memory_bytes=2**40, gpu_bytes=2**20)):
        assert chosen(settings, (), small) == []
        (named,) = chosen(settings, ("pocket-v0",), small)
        assert (named.plan, named.reason) == (None, "it does not fit beside what is running")


def test_the_room_is_main_memorys_where_a_build_has_no_devices() -> None:
    assert room_now(has_devices=False).gpu_bytes == 0
    assert room_now(has_devices=False).memory_bytes >= 0


def program(folder: Path, behaviour: Behaviour) -> tuple[str, ...]:
    return installed_program(lay_out(folder, behaviour), folder / "flags.json")


EXPECTED: dict[str, tuple[Behaviour, str]] = {
    "key": ({"lets_anyone_in": True}, "a wrong key is let in"),
    "stream": ({"tells_no_usage": True}, "the usage that was asked for does not end the stream"),
    "call": ({"streams_no_calls": True}, "a call is not streamed as one"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_expectation_that_is_not_met_is_told_by_name(tmp_path: Path, name: str) -> None:
    behaviour, words = EXPECTED[name]
    wrong = {one.name: one.reason for one in meets(program(tmp_path, behaviour)) if one.status == "fail"}
    assert wrong == {name: words}


def test_an_engine_that_never_answers_fails_every_expectation_in_time(tmp_path: Path) -> None:
    found = meets(program(tmp_path, {"hangs_with": "canary"}), patience_s=0.3)
    hung = [one for one in found if one.reason == "no answer within 0.3 s"]
    assert len(hung) == len(found) - 2
    assert {one.name for one in found if one.status == "pass"} == {"key", "props"}


def test_an_engine_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineFailedToStart, match="scripted end"):
        meets(program(tmp_path, {"exit_status": 3, "words": "scripted end"}))


def pair(tmp_path: Path, new: Behaviour, active: Behaviour | None, *, beside: bool = True, **patience: float) -> Pair:
    return Pair(
        model=MINE,
        flags=pocket_flags(MINE, context_tokens=2048, slots=1),
        new=program(tmp_path / "new", new),
        active=None if active is None else program(tmp_path / "active", active),
        beside=beside,
        patience=Patience(**patience),
    )


TRIALS: dict[str, tuple[Behaviour, Behaviour | None, bool, str, str]] = {
    "even": ({}, {}, True, "pass", ""),
    "slower at reading": ({"reading_per_s": 100.0}, {}, True, "fail", "reading below 0.7 x"),
    "slower, one at a time": ({"reading_per_s": 100.0}, {}, False, "pass", "its speed was not judged"),
    "crashes, one at a time": ({"crashes_with": MINE}, {}, False, "fail", "ggml_abort: scripted"),
    "answers nothing": ({"answers_empty": True}, {}, True, "fail", "its answer is empty"),
    "tells no speed": ({"tells_no_speed": True}, {}, True, "pass", ""),
    "nothing to compare with": ({}, None, True, "pass", ""),
    "the active one fails": ({}, {"crashes_with": MINE}, True, "pass", "the active build fails at it"),
    "both fail": ({"crashes_with": MINE}, {"crashes_with": MINE}, True, "skip", "neither build does it"),
    "does not start": ({"exit_status": 3, "words": "scripted end"}, {}, True, "fail", "scripted end"),
}


@pytest.mark.parametrize("name", TRIALS)
def test_a_model_is_tried_with_both_builds(tmp_path: Path, name: str) -> None:
    new, active, beside, status, words = TRIALS[name]
    trial = compare(pair(tmp_path, new, active, beside=beside))
    assert (trial.status, words in trial.reason) == (status, True), trial
    assert bool(trial.reason) == bool(words)


def test_a_build_that_hangs_on_a_model_fails_within_what_the_active_one_needed(tmp_path: Path) -> None:
    trial = compare(pair(tmp_path, {"hangs_with": MINE}, {}, new_least_s=5.0, new_times=1.0))
    assert trial.status == "fail"
    assert trial.reason.startswith("no answer within")


def test_a_model_that_keeps_the_active_build_too_long_is_not_compared(tmp_path: Path) -> None:
    trial = compare(pair(tmp_path, {"hangs_with": MINE}, {"hangs_with": MINE}, active_s=5.0, new_least_s=5.0))
    assert trial.status == "skip"
    assert "took more than 5 s" in trial.reason
