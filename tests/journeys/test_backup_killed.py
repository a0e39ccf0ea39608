"""Tests restores that are killed, at every change that they make to the disk: the home is the old one, or the new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine import environ

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 300
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing forks there")


def paddock(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "paddock", *words], env={**os.environ, **environ(home)}, input=typed,
        capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip


def home_of(root: Path, name: str, **files: str) -> Path:
    """A data home with an account of that name, and these files."""
    assert paddock(root, "users", "add", name, "--admin", "--link").returncode == 0
    for file, text in files.items():
        path = root / file.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def lasting(held: dict[str, str]) -> dict[str, str]:
    """What a home holds beside what a restore gathers and keeps."""
    passing = ("restoring/", "replaced/", ".writable-")
    return {name: digest for name, digest in held.items() if not name.startswith(passing)}


def test_a_restore_that_is_killed_at_any_change_is_finished_or_was_never_begun(tmp_path: Path) -> None:
    source = home_of(tmp_path / "source", "anna", config_toml="slots = 3\n", templates__one="1", templates__two="2")
    target = home_of(tmp_path / "target", "ben", config_toml="slots = 2\n", aliases_json="{}", templates__two="old")
    backup = tmp_path / "backup.tar"
    assert paddock(source, "backup", "make", str(backup)).returncode == 0
    folder = tmp_path / "rounds"
    folder.mkdir()
    words = [sys.executable, "-m", "tests.fakes.killed_restore", str(backup), str(target), str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rounds: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]

    whole, killed = rounds[-1], rounds[:-1]
    assert (whole["killed"], whole["status"], whole["said"]) == (False, 0, [])
    new = lasting(whole["after"])
    assert "aliases.json" not in new
    old = lasting(killed[0]["before"])
    assert old["templates/two"] != new["templates/two"]
    kept = sorted(name.split("/", 2)[2] for name in whole["after"] if name.startswith("replaced/"))
    assert kept == ["aliases.json", "config.toml", "keys.secret", "paddock.db", "templates/two"]

    for one in killed:
        assert one["killed"]
        assert not one["left"]
        assert lasting(one["after"]) in (old, new), one
        if lasting(one["before"]) not in (old, new):
            # It was at it: whoever comes next tells so, and where the rest is.
            assert "cut short while it put files in their places" in one["said"][0]
            assert lasting(one["after"]) == new
    finished = [one for one in killed if lasting(one["before"]) != new and lasting(one["after"]) == new]
    undone = [one for one in killed if lasting(one["after"]) == old]
    halves = [one for one in killed if lasting(one["before"]) not in (old, new)]
    assert len(finished) >= 8
    assert len(halves) >= 8
    assert len(undone) >= 5
    assert any("before it had changed anything" in said for one in undone for said in one["said"])


def test_the_next_command_tells_of_a_restore_that_was_cut_short(tmp_path: Path) -> None:
    home = home_of(tmp_path / "home", "anna")
    (home / "restoring" / "new").mkdir(parents=True)
    (home / "restoring" / "new" / "config.toml").write_text("slots = 3\n", "utf-8")
    told = paddock(home, "users", "list")
    assert told.returncode == 0
    assert "anna" in told.stdout
    assert "A restore was cut short before it had changed anything." in told.stderr
    assert not (home / "restoring").exists()
    assert paddock(home, "users", "list").stderr == ""
