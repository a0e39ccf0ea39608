"""Tests the process beside an installed llama-server: its protocol, its key, its end; and what reaches the program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from paddock.engine.flags import EngineFlags
from paddock.engine.known_flags import known_flags
from paddock.install.builds import installed_program
from tests.fakes.scripted_llama_server import Behaviour, lay_out
from tests.wire.rig import HANG_GUARD_S

KEY = "a-key-that-nobody-else-may-see"
FLAGS = EngineFlags(model_path="m.gguf", alias="m", context_tokens=64, slots=2, batch_tokens=8, ubatch_tokens=8)


@contextmanager
def engine(
    folder: Path, behaviour: Behaviour | None = None, *, more: tuple[str, ...] = (), **environment: str
) -> Generator[subprocess.Popen[bytes]]:
    """The process, with its key handed over."""
    binary = lay_out(folder / "a build ü", behaviour)
    words = [*installed_program(binary, folder / "flags.json"), *FLAGS.to_argv(), *more]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        assert process.stdin
        process.stdin.write(json.dumps({"api_key": KEY}).encode() + b"\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def report(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout
    return json.loads(process.stdout.readline())


def starts(folder: Path) -> list[dict[str, Any]]:
    journal = folder / "a build ü" / "build" / "bin" / "starts.jsonl"
    return [json.loads(line) for line in journal.read_text("utf-8").splitlines()]


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_GUARD_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def status(port: int, key: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/props", headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_says_where_the_program_listens_and_only_the_key_opens(tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        said = report(process)
        assert said["event"] == "ready"
        assert (status(said["port"], KEY), status(said["port"], "other")) == (200, 401)


def test_the_key_is_on_no_command_line_and_in_no_environment(tmp_path: Path) -> None:
    with engine(tmp_path, LLAMA_API_KEY="someone's", LLAMA_ARG_PORT="1", AIP_MODE="PREDICTION") as process:
        report(process)
        (start,) = starts(tmp_path)
        assert KEY not in json.dumps(start)
        assert not [name for name in start["environment"] if name.startswith(("LLAMA_", "AIP_"))]
        assert start["environment"]["LD_LIBRARY_PATH"].split(":")[0] == str(tmp_path / "a build ü" / "build" / "bin")
        assert KEY not in " ".join(psutil.Process(process.pid).cmdline())


def test_a_build_without_a_key_file_gets_its_key_by_its_environment(tmp_path: Path) -> None:
    with engine(tmp_path, {"lacks": ["--api-key-file"]}) as process:
        assert status(report(process)["port"], KEY) == 200
        assert KEY not in " ".join(starts(tmp_path)[0]["words"])


def test_what_an_older_build_does_not_know_is_not_passed(tmp_path: Path) -> None:
    with engine(tmp_path, {"lacks": ["--fit", "--cache-ram", "--jinja"]}) as process:
        assert report(process)["event"] == "ready"


def test_a_flag_that_is_needed_and_unknown_is_told(tmp_path: Path) -> None:
    with engine(tmp_path, {"lacks": ["--mmproj"]}, more=("--mmproj", "p.gguf")) as process:
        said = report(process)
        assert said["event"] == "failed"
        assert "does not know --mmproj" in said["message"]
        assert process.wait(HANG_GUARD_S) == 1


def test_a_program_that_ends_before_it_is_ready_ends_it_with_its_status_and_words(tmp_path: Path) -> None:
    with engine(tmp_path, {"exit_status": 3, "words": "error loading model"}) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read() == b""
        assert b"error loading model" in process.stderr.read()
        assert process.wait(HANG_GUARD_S) == 3


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    words = [*installed_program(tmp_path / "gone" / "llama-server", tmp_path / "flags.json"), *FLAGS.to_argv()]
    sent = json.dumps({"api_key": KEY}).encode() + b"\n"
    done = subprocess.run(words, input=sent, capture_output=True, timeout=HANG_GUARD_S, check=False)
    assert "cannot be started" in json.loads(done.stdout)["message"]


def test_a_killed_program_ends_it_as_killed(tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        report(process)
        psutil.Process(process.pid).children()[0].kill()
        assert process.wait(HANG_GUARD_S) == 128 + signal.SIGKILL


def test_the_end_of_stdin_ends_both(tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        report(process)
        (server,) = psutil.Process(process.pid).children()
        assert process.stdin
        process.stdin.close()
        assert process.wait(HANG_GUARD_S) == 0
        until(lambda: not server.is_running())


def test_a_killed_parent_takes_both_with_it(tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        report(process)
        (server,) = psutil.Process(process.pid).children()
        process.kill()
        until(lambda: not server.is_running())


def test_a_build_is_asked_for_its_flags_once_and_again_when_it_changed(tmp_path: Path) -> None:
    binary, kept = lay_out(tmp_path), tmp_path / "flags.json"
    assert "--ctx-size" in known_flags(binary, kept)
    said = json.loads(kept.read_text("utf-8"))
    kept.write_text(json.dumps({**said, "flags": ["--kept"]}), "utf-8")
    assert known_flags(binary, kept) == {"--kept"}
    binary.write_bytes(binary.read_bytes() + b"# changed")
    assert "--ctx-size" in known_flags(binary, kept)
