"""Tests `paddock requests` as it is typed, on what a running paddock recorded."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.paths import Home
from paddock.recorder.recorder import Recorder
from tests.journeys.test_cli import env, line_of, run, serving

__all__ = ["env"]
KEY = "sk-0123456789abcdef0123456789abcdef"


@pytest.fixture
def recorded(env: dict[str, str]) -> dict[str, str]:
    """The environment of a home in which one request was recorded, with a key that was in it."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 8}
    with serving(env, "--record") as process:
        url = line_of(process).strip()
        asked = urllib.request.Request(
            f"{url}/v1/chat/completions", data=json.dumps(body).encode(), headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 200
    return env


def listed(env: dict[str, str]) -> list[dict[str, Any]]:
    return list(json.loads(run(env, "requests", "list", "--json").stdout))


def test_a_recorded_request_is_listed_and_shown_without_its_key(recorded: dict[str, str]) -> None:
    (record,) = listed(recorded)
    line = run(recorded, "requests", "list").stdout
    assert record["id"] in line
    assert "POST /v1/chat/completions" in line
    shown = run(recorded, "requests", "show", record["id"][:20]).stdout
    for section in ("inbound", "upstream", "prompt", "engine", "events", "outbound"):
        assert f"── {section} " in shown
    assert '"Hello"' in shown
    prompt = run(recorded, "requests", "show", record["id"], "--section", "prompt").stdout
    assert "Hello" in prompt
    assert "<|im_start|>" in prompt or "[INST]" in prompt
    assert KEY not in shown
    assert json.loads(run(recorded, "requests", "show", record["id"], "--json").stdout)["status"] == 200
    assert run(recorded, "requests", "show", record["id"], "--section", "inbound").stdout.startswith("{")


def test_the_curl_line_and_the_replay_get_the_same_answer_again(recorded: dict[str, str]) -> None:
    (record,) = listed(recorded)
    with serving(recorded) as process:
        url = line_of(process).strip()
        line = run(recorded, "requests", "curl", record["id"], "--url", url).stdout
        assert KEY not in line
        assert shlex.split(line)[0] == "curl"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout)["choices"][0]["message"]["content"]
        same = run(recorded, "requests", "replay", record["id"], "--url", url)
        assert (same.returncode, same.stdout) == (0, "The answers say the same.\n")
        other = run(recorded, "requests", "replay", record["id"], "--url", url, "--model", "none")
        assert "status: 200 when recorded, 404 now" in other.stdout
        assert "There is no model" in other.stdout
        told = json.loads(
            run(recorded, "requests", "replay", record["id"], "--url", url, "--model", "none", "--json").stdout
        )
        assert (told["status"], told["differ"]) == ({"recorded": 200, "replayed": 404}, True)


def test_what_is_not_there_is_one_sentence_and_clearing_removes_all(recorded: dict[str, str]) -> None:
    gone = run(recorded, "requests", "show", "nothing")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "paddock requests list" in gone.stderr
    assert run(recorded, "requests", "clear").stdout == "1 recorded requests removed.\n"
    assert "Nothing is recorded" in run(recorded, "requests", "list").stdout


def recorded_by_hand(home: Path, body: bytes) -> None:
    """A recording as the recorder writes it, of a request with that body."""

    async def write() -> None:
        recorder = Recorder(folder=Home(root=home).requests, is_on=True, most_bytes=2**30, most_age_s=1e6)
        recording = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
        assert recording is not None
        recording.inbound(body)
        await recording.close()

    anyio.run(write)


def test_the_curl_line_reads_no_file_and_sends_nothing_that_was_cut(env: dict[str, str]) -> None:
    recorded_by_hand(Path(env["PADDOCK_HOME"]), b"@/etc/hostname")
    (record,) = listed(env)
    words = shlex.split(run(env, "requests", "curl", record["id"]).stdout)
    assert words[-2:] == ["--data-raw", "@/etc/hostname"]
    run(env, "requests", "clear")
    recorded_by_hand(Path(env["PADDOCK_HOME"]), b"x" * (5 * 2**20))
    (record,) = listed(env)
    refused = run(env, "requests", "curl", record["id"])
    assert (refused.returncode, "larger body" in refused.stderr) == (1, True)


def test_a_home_that_cannot_be_is_one_sentence(env: dict[str, str]) -> None:
    refused = run({**env, "PADDOCK_HOME": "/dev/null/x"}, "requests", "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "PADDOCK_HOME" in refused.stderr
    assert "Traceback" not in refused.stderr
