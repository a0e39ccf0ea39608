"""The commands as people type them: real processes, the real engine, the bundled model."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from paddock.models.catalog import BUNDLED
from tests.fakes.hub import running_hub

WAIT_S = 60.0
PADDOCK = [sys.executable, "-m", "paddock"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A home of the test's own, no network, and no colours but where a test asks for them."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PADDOCK_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "default"}


def run(env: dict[str, str], *words: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
    """One command to its end. `said` goes to its stdin, which is empty otherwise."""
    return subprocess.run(
        [*PADDOCK, *words], env=env, input=said or "", capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line on stdout, or an error with what the process said instead."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline() or pytest.fail(process.stderr.read())


@contextmanager
def serving(env: dict[str, str], *words: str, port: str = "0") -> Generator[subprocess.Popen[str]]:
    """A `paddock serve` that is ended at the latest with the block."""
    with subprocess.Popen(
        [*PADDOCK, "serve", "--port", port, *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        guard = threading.Timer(WAIT_S, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            guard.join()
            process.terminate()


def ask(curl_line: str) -> dict[str, Any]:
    """Do what a pasted curl line does."""
    words = shlex.split(curl_line)
    assert (words[0], words[2], words[4]) == ("curl", "-H", "-d")
    name, _, value = words[3].partition(": ")
    with urllib.request.urlopen(
        urllib.request.Request(words[1], data=words[5].encode(), headers={name: value}), timeout=WAIT_S
    ) as response:
        return json.loads(response.read())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_its_address_a_curl_line_that_works_and_stops_when_told(
    env: dict[str, str], sent: signal.Signals
) -> None:
    with serving(env) as process:
        url = line_of(process).rstrip("\n")
        assert url.startswith("http://127.0.0.1:")
        curl_line = line_of(process)
        assert f"{url}/v1/chat/completions" in curl_line
        assert line_of(process) == "Ctrl+C stops it.\n"
        assert ask(curl_line)["choices"][0]["message"]["content"]
        process.send_signal(sent)
        rest, complaints = process.communicate(timeout=WAIT_S)
        assert (rest, complaints, process.returncode) == ("", "", 0)


def test_a_busy_port_says_who_has_it_and_suggests_another(env: dict[str, str]) -> None:
    with serving(env) as first:
        port = line_of(first).strip().rpartition(":")[2]
        second = run(env, "serve", "--port", port)
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Port {port} on 127.0.0.1 is taken by another paddock, " in second.stderr
    assert f"(process {first.pid})" in second.stderr
    assert " is free." in second.stderr
    assert second.stderr.count("\n") == 1


def test_a_server_whose_first_line_alone_was_read_still_serves(env: dict[str, str]) -> None:
    with serving(env) as process:
        url = line_of(process).strip()
        assert process.stdout is not None
        process.stdout.close()
        with urllib.request.urlopen(f"{url}/health", timeout=WAIT_S) as response:
            assert json.loads(response.read())["name"] == "paddock"
        process.terminate()
        process.wait(WAIT_S)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_beyond_loopback_somebody_must_sign_in_unless_the_danger_is_typed(env: dict[str, str]) -> None:
    with serving(env, "--host", "0.0.0.0") as process:
        line_of(process)
        process.terminate()
        told = process.communicate(timeout=WAIT_S)[1]
    assert "travel unencrypted" in told
    assert re.search(r"  http://[0-9.]+:\d+/welcome#pdl-[\w-]{43}\n", told)
    with serving(env, "--host", "0.0.0.0", "--unsafe-no-auth") as process:
        assert line_of(process).startswith("http://0.0.0.0:")
        process.terminate()
        assert "nobody is asked for a key" in process.communicate(timeout=WAIT_S)[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "lama"], "There is no model 'lama'."),
        (["--model", "./gone.gguf"], "gone.gguf"),
        (["--model", __file__], "test_cli.py"),
        (["--host", "nowhere.invalid"], "nowhere.invalid"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(env: dict[str, str], words: list[str], sentence: str) -> None:
    ran = run(env, "serve", "--port", "0", *words)
    assert ran.returncode in (1, 2)
    assert ran.stdout == ""
    assert sentence in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_home_that_cannot_be_written_is_one_sentence(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    env["PADDOCK_HOME"] = str(tmp_path / "file" / "home")
    ran = run(env, "serve", "--port", "0")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot be written" in ran.stderr
    assert ran.stderr.count("\n") == 1
    checked = run(env, "doctor", "--json")
    report = json.loads(checked.stdout)
    assert (checked.returncode, report["ok"]) == (1, False)
    assert [check["name"] for check in report["checks"] if check["status"] == "fail"] == ["home"]


def test_a_model_is_imported_listed_shown_served_and_removed(env: dict[str, str]) -> None:
    file = BUNDLED["pocket-v0"]
    imported = run(env, "models", "import", str(file), "--name", "mine", "--json")
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout)["id"] == "mine"
    assert json.loads(imported.stdout)["kept_as"] in ("hard link", "symbolic link")
    listed = json.loads(run(env, "models", "list", "--json").stdout)
    assert [(model["id"], model["origin"]) for model in listed["models"]] == [
        ("pocket-v0", "bundled"),
        ("mine", "imported"),
    ]
    shown = json.loads(run(env, "models", "show", "mine", "--json").stdout)
    assert {name: shown[name] for name in listed["models"][1]} == listed["models"][1]
    assert set(shown) - set(listed["models"][1]) == {"settings", "recommended_sampling"}
    assert shown["size_bytes"] == file.stat().st_size
    assert "size bytes" in run(env, "models", "show", str(file)).stdout
    with serving(env, "--model", "mine") as process:
        line_of(process)
        assert ask(line_of(process))["model"] == "mine"
    for said in ("n\n", ""):
        asked = run(env, "models", "rm", "mine", said=said)
        assert (asked.returncode, asked.stdout) == (1, "")
        assert asked.stderr.startswith("mine: 0 bytes will be free.\n  mine.gguf: removed, ")
        assert asked.stderr.endswith(
            "Remove mine? Type y to do it.\n"
            "Error: Not confirmed: 'mine' is not removed. Type y when asked, or say --yes.\n"
        )
    assert run(env, "models", "rm", "mine", said="y\n").stdout == "mine is removed.\n"
    assert [model["id"] for model in json.loads(run(env, "models", "list", "--json").stdout)["models"]] == ["pocket-v0"]
    again = run(env, "models", "rm", "mine", "--yes")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("Error: There is no model 'mine'.")


def test_a_broken_file_is_listed_with_its_reason(env: dict[str, str]) -> None:
    folder = Path(env["PADDOCK_HOME"]) / "models"
    folder.mkdir(parents=True)
    (folder / "half.gguf").write_bytes(BUNDLED["pocket-v0"].read_bytes()[:1000])
    listed = run(env, "models", "list")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[1].startswith("pocket-v0")
    assert "Not usable: half: " in listed.stderr
    report = json.loads(run(env, "models", "list", "--json").stdout)
    assert [entry["id"] for entry in report["broken"]] == ["half"]


@pytest.mark.parametrize("spec", ["nonsense", "org/../../etc:Q4", "org/does-not-exist:Q8_0"])
def test_a_pull_that_cannot_work_is_one_sentence_and_leaves_nothing(env: dict[str, str], spec: str) -> None:
    ran = run(env, "pull", spec, "--json")
    assert ran.returncode in (1, 2)
    assert ran.stderr.startswith("Error: ")
    assert "Traceback" not in ran.stderr
    assert json.loads(ran.stdout)["error"]["message"] in ran.stderr
    models = Path(env["PADDOCK_HOME"]) / "models"
    assert not models.exists() or list(models.iterdir()) == []


def test_a_pull_that_was_stopped_goes_on_where_it_stopped(env: dict[str, str], tmp_path: Path) -> None:
    env["HF_HUB_OFFLINE"] = "0"
    env["HF_HOME"] = str(tmp_path / "hf")
    (tmp_path / "hub").mkdir()
    with running_hub(tmp_path / "hub") as hub:
        env["HF_ENDPOINT"] = hub.endpoint
        hub.add("org/tiny", "tiny-Q8_0.gguf", BUNDLED["pocket-v0"].read_bytes())
        hub.misbehave({"cuts": -1, "cut_after_bytes": 50_000})
        with subprocess.Popen(
            [*PADDOCK, "pull", "org/tiny"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "Fetching org/tiny:Q8_0, 5.2 MB.\n"
            while not any(seen["range"] for seen in hub.seen()):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, complaints = process.communicate(timeout=WAIT_S)
        assert (process.returncode, out) == (130, "")
        assert complaints.endswith("Stopped. What came is kept; `paddock pull org/tiny` goes on from there.\n")
        hub.misbehave()
        again = run(env, "pull", "org/tiny", "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["id"] == "org/tiny:Q8_0"
        assert any(seen["range"] for seen in hub.seen())
    listed = json.loads(run(env, "models", "list", "--json").stdout)
    assert [model["origin"] for model in listed["models"]] == ["bundled", "pulled"]
    assert run(env, "chat", "--model", "org/tiny:Q8_0", "Hello!").returncode == 0
    assert run(env, "models", "rm", "org/tiny:Q8_0", "--yes").stdout == "org/tiny:Q8_0 is removed.\n"


def test_the_fit_of_a_model_is_told_before_it_is_loaded(env: dict[str, str]) -> None:
    ran = run(env, "models", "fit", "pocket-v0", "--ctx", "4096", "--slots", "1")
    assert ran.returncode == 0
    assert "for 1 slot of 4096 tokens, kept as f16" in ran.stdout
    told = json.loads(run(env, "models", "fit", "pocket-v0", "--kv", "q8_0", "--json").stdout)
    assert (told["model"], told["kv_type"], told["verdict"]) == ("pocket-v0", "q8_0", "fits")
    assert run(env, "models", "fit", "pocket-v0", "--kv", "q9").returncode == 2
    assert run(env, "models", "fit", "nobody").returncode == 1


def test_the_doctor_tries_the_engine_for_real(env: dict[str, str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        env["PADDOCK_PORT"] = str(probe.getsockname()[1])
    ran = run(env, "doctor")
    assert (ran.returncode, ran.stderr) == (0, "")
    names = [
        "settings",
        "python",
        "cpu",
        "memory",
        "platform",
        "gpu",
        "walls",
        "home",
        "disk",
        "database",
        "port",
        "models",
        "library",
        "engine",
    ]
    lines = [line for line in ran.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split()[1] for line in lines[:-1]] == names
    assert "the bundled model answers" in ran.stdout
    assert lines[-1] == "Paddock works here."


@pytest.mark.parametrize(
    "words", [["models", "list"], ["config", "show", "--json"], ["--help"], ["--version"], ["doctor"]]
)
def test_a_reader_that_leaves_early_hears_no_complaint(env: dict[str, str], words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [*PADDOCK, *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=WAIT_S,
            check=False,
        )
    finally:
        os.close(writer)
    assert ran.stderr == b""


def test_a_terminal_without_unicode_ends_no_command(env: dict[str, str]) -> None:
    env |= {"PYTHONIOENCODING": "ascii", "PADDOCK_ALLOWED_ORIGINS": "http://pferd-🐎"}
    ran = run(env, "config", "show")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "http://pferd-?" in ran.stdout
    assert json.loads(run(env, "config", "show", "--json").stdout)["settings"]
