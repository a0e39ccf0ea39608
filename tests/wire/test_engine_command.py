"""Tests `paddock engine` as it is typed: what it prints, its exit statuses, and what it survives."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from paddock.install.manifest import read, shipped
from tests.fakes.release_server import Releases, running_releases
from tests.fakes.scripted_llama_server import Behaviour, lay_out, tar
from tests.wire.rig import HANG_GUARD_S

ROOT = Path(__file__).resolve().parents[2]
TAG = shipped().tag
NAME = f"ubuntu-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
PAD = b"#" * 300_000


@pytest.fixture
def releases(tmp_path: Path) -> Generator[Releases]:
    with running_releases(tmp_path / "releases") as releases:
        yield releases


@pytest.fixture
def env(tmp_path: Path, releases: Releases) -> dict[str, str]:
    return {
        **os.environ,
        "PADDOCK_HOME": str(tmp_path / "a home ü"),
        "PADDOCK_ENGINE_MIRROR": releases.address,
        "PADDOCK_SCAN_OTHERS": "false",
    }


def put(releases: Releases, behaviour: Behaviour | None = None, *, pad: bytes = b"") -> None:
    releases.add(TAG, f"llama-{TAG}-bin-{NAME}.tar.gz", tar(behaviour) + pad)


def run(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "paddock", "engine", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def told(env: dict[str, str], *words: str) -> Any:
    done = run(env, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_build_is_installed_listed_probed_left_and_removed(env: dict[str, str], releases: Releases) -> None:
    put(releases)
    done = run(env, "install")
    assert done.returncode == 0, done.stderr
    assert f"{TAG}-{NAME}: It runs on the processor" in done.stderr
    assert "No model of yours was tried" in done.stderr
    assert f"{TAG}-{NAME} is used from the next start on" in done.stdout
    listed = told(env, "list", "--available")
    assert (listed["active"], listed["previous"]) == (f"{TAG}-{NAME}", "embedded")
    assert {"name": f"{TAG}-{NAME}", "fits": True, "reason": "It runs on the processor."} in listed["available"]
    assert [row.split()[:2] for row in run(env, "list").stdout.splitlines()[1:]] == [
        ["embedded", "previous"], [f"{TAG}-{NAME}", "active"],
    ]  # fmt: skip
    assert told(env, "probe")["probe"]["tool_call"] == '{"city": "Oslo"}'
    assert run(env, "remove", f"{TAG}-{NAME}").returncode == 6
    assert told(env, "use", "previous")["active"] == "embedded"
    assert told(env, "use", "previous")["active"] == f"{TAG}-{NAME}"
    assert told(env, "use", "embedded")["active"] == "embedded"
    assert run(env, "remove", f"{TAG}-{NAME}").returncode == 0
    assert told(env, "list")["builds"] == []


def test_a_persons_own_build_is_used(env: dict[str, str], tmp_path: Path) -> None:
    lay_out(tmp_path / "mine")
    assert told(env, "use", "--path", str(tmp_path / "mine"), "--no-canary")["build"]["origin"] == "path"
    assert "works: version 11434 (scripted)" in run(env, "probe").stdout


def test_every_way_to_fail_has_its_status(env: dict[str, str], releases: Releases) -> None:
    put(releases)
    assert run(env, "use").returncode == 2
    assert run(env, "use", "gone").returncode == 1
    assert run(env, "install", "--build", "gone").returncode == 1
    assert run(env, "install", "--tag", "b0").returncode == 4
    assert run(env, "install", "--tag", "../b0").returncode == 5
    releases.misbehave({"wrong_bytes": True})
    assert run(env, "install").returncode == 5
    releases.misbehave()
    put(releases, {"answers_empty": True})
    assert run(env, "install", "--afresh").returncode == 6
    bare = {**env, "PATH": "/nowhere"}
    bare.pop("CXX", None)
    needs = run(bare, "install", "--from-source")
    assert needs.returncode == 3
    assert "apt install cmake g++" in needs.stderr
    assert told(env, "list")["active"] == "embedded"


def test_nothing_that_suits_says_what_is_against_each(env: dict[str, str], releases: Releases) -> None:
    releases.add(TAG, f"llama-{TAG}-bin-win-cpu-x64.zip", b"x")
    done = run({**env, "PATH": "/nowhere"}, "install")
    assert done.returncode == 3
    assert "It is for windows; this is linux." in done.stderr


def test_a_rate_limit_is_told_with_its_end(env: dict[str, str], releases: Releases) -> None:
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}
    releases.misbehave({"status": 403, "headers": limit})
    done = run(env, "install")
    assert done.returncode == 4
    assert "2100-01-01 00:00 UTC" in done.stderr


def test_an_installer_that_was_killed_is_taken_up_and_another_is_told_to_wait(
    env: dict[str, str], releases: Releases, tmp_path: Path
) -> None:
    put(releases, pad=PAD)
    releases.misbehave({"pause_s": 0.5})
    command = [sys.executable, "-m", "paddock", "engine", "install"]
    partials = tmp_path / "a home ü" / "engines" / "downloads"
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + HANG_GUARD_S
        while not any(path.stat().st_size for path in partials.glob("*.partial")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        second = run(env, "install")
        assert second.returncode == 7
        assert f"process {first.pid}" in second.stderr
        first.send_signal(signal.SIGKILL)
    came = next(partials.glob("*.partial")).stat().st_size
    releases.misbehave()
    assert run(env, "install", "--no-canary").returncode == 0
    assert [seen["range"] for seen in releases.files()] == [f"bytes={came}-"]
    assert not list(partials.parent.glob(".staging-*"))


def test_a_proxy_is_used_and_certificates_that_are_none_are_told(env: dict[str, str], releases: Releases) -> None:
    put(releases)
    behind = {**env, "PADDOCK_ENGINE_MIRROR": "http://releases.invalid", "HTTP_PROXY": releases.address, "NO_PROXY": ""}
    behind = {name: value for name, value in behind.items() if name not in ("http_proxy", "no_proxy")}
    assert run(behind, "install", "--no-canary").returncode == 0
    assert "releases.invalid" in {seen["host"] for seen in releases.seen()}
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        without = {key: value for key, value in env.items() if key not in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}
        refused = run({**without, name: "/nowhere/ca.pem"}, "install", "--afresh")
        assert refused.returncode == 4
        assert "certificates" in refused.stderr


def test_a_home_that_cannot_be_written_is_told(env: dict[str, str]) -> None:
    done = run({**env, "PADDOCK_HOME": "/proc/nowhere"}, "install")
    assert done.returncode == 1
    assert "PADDOCK_HOME" in done.stderr


def test_the_doctor_looks_at_the_active_build(env: dict[str, str], releases: Releases, tmp_path: Path) -> None:
    put(releases)
    assert run(env, "install", "--no-canary").returncode == 0
    well = run(env, "doctor")
    assert well.returncode == 0, well.stdout
    assert "answers, and computes on the processor" in well.stdout
    (tmp_path / "a home ü" / "engines" / f"{TAG}-{NAME}" / "build" / "bin" / "llama-server").unlink()
    ill = told_failing(env)
    assert [check["name"] for check in ill["checks"] if check["status"] == "fail"] == ["active"]
    assert ill["checks"][0]["advice"] == "paddock engine use embedded"


def test_an_active_build_that_vanished_keeps_paddock_from_starting_and_says_why(
    env: dict[str, str], tmp_path: Path
) -> None:
    binary = lay_out(tmp_path / "mine")
    assert run(env, "use", "--path", str(tmp_path / "mine"), "--no-canary").returncode == 0
    binary.unlink()
    command = [sys.executable, "-m", "paddock", "serve", "--port", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 6
    assert "paddock engine use embedded" in done.stderr


def test_a_checkout_makes_the_manifest_of_a_release(env: dict[str, str], releases: Releases) -> None:
    put(releases)
    command = [sys.executable, "dev.py", "engine-manifest", TAG]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    made = read(done.stdout)
    file = releases.root / TAG / f"llama-{TAG}-bin-{NAME}.tar.gz"
    (offer,) = made.offers
    assert offer.archive.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert offer.archive.size_bytes == file.stat().st_size
    assert made.sources == shipped().sources
    command[-1] = "b0"
    refused = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert refused.returncode == 1
    assert "has no release 'b0'" in refused.stderr


def told_failing(env: dict[str, str]) -> Any:
    done = run(env, "doctor", "--json")
    assert done.returncode == 1
    return json.loads(done.stdout)
