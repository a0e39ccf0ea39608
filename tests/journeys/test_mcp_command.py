"""Tests `paddock mcp` as a person types it: added off, turned on, its tools listed and tried, a file imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FAKE = str(Path(__file__).parents[1] / "fakes" / "tool_server.py")


def typed(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command, in a data home of its own."""
    environment = {**os.environ, "PADDOCK_HOME": str(home), **variables}
    command = [sys.executable, "-m", "paddock", "mcp", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_server_is_added_off_turned_on_tried_and_removed(tmp_path: Path) -> None:
    words = ("add", "hay", "--env", "FAKE_KEY", "--", sys.executable, FAKE, "well")
    added = typed(tmp_path, *words, FAKE_KEY="very secret")
    assert (added.returncode, "is added, off" in added.stdout) == (0, True)
    off = typed(tmp_path, "tools", "hay")
    assert (off.returncode, "is off" in off.stderr) == (1, True)
    assert typed(tmp_path, "enable", "hay").returncode == 0
    assert "mcp__hay__echo  Says it again." in typed(tmp_path, "tools", "hay").stdout
    assert typed(tmp_path, "tools", "hay", "--read", "note://one").stdout == "first note\n"
    assert typed(tmp_path, "try", "hay", "echo", '{"text": "two bales"}').stdout == "two bales\n"
    assert "very secret" in typed(tmp_path, "try", "hay", "env").stdout
    failed = typed(tmp_path, "try", "hay", "die")
    assert (failed.returncode, "ended with status 3: the hay is on fire" in failed.stderr) == (1, True)
    listed = typed(tmp_path, "list", "--json").stdout
    assert json.loads(listed)[0]["is_enabled"] is True
    assert "very secret" not in listed
    assert not any(b"very secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert typed(tmp_path, "remove", "hay").returncode == 0
    assert "no server of tools 'hay'" in typed(tmp_path, "enable", "hay").stderr


def test_a_file_is_imported_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    servers = {"one": {"command": "x"}, "two": {"command": "y", "args": ["${input:key}"]}}
    file.write_text(json.dumps({"servers": servers}), "utf-8")
    found = typed(tmp_path / "home", "import", str(file))
    assert (found.returncode, "two is left out: it needs key" in found.stdout) == (1, True)
    found = typed(tmp_path / "home", "import", str(file), "--input", "key=KEY", KEY="s3cret")
    assert (found.returncode, "s3cret" in found.stdout) == (0, False)
    assert [one["name"] for one in json.loads(typed(tmp_path / "home", "list", "--json").stdout)] == ["one", "two"]
