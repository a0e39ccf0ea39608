"""Runs the commands of docs/training.md and docs/export.md as printed, with the real training stack and engine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh training\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLUSTER = re.compile(r"^```sh (cluster-head|cluster-train)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A guard against hanging, not a measure of speed.
TIMEOUT_S = 900


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> Generator[dict[str, str]]:
    """That of a person beside whom paddock serves."""
    program = tmp_path / "bin" / "paddock"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m paddock "$@"\n')
    program.chmod(0o755)
    kept = {
        **os.environ, "HOME": str(tmp_path), "PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0",
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    with subprocess.Popen([program, "serve", "--port", "0"], env=kept, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            kept["PADDOCK_PORT"] = server.stdout.readline().rsplit(":", 1)[1].strip()
            yield kept
        finally:
            server.terminate()


def run(page: str, lines: int, environment: dict[str, str], folder: Path) -> str:
    """What the commands of a page print."""
    (block,) = BLOCK.findall((ROOT / "docs" / page).read_text("utf-8"))
    assert len(block.splitlines()) == lines
    words = ["sh", "-eu", "-c", block]
    done = subprocess.run(
        words, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_five_commands_teach_a_fact(environment: dict[str, str], tmp_path: Path) -> None:
    said = run("training.md", 5, environment, tmp_path)
    assert said.rstrip().endswith("Mira looks after the llamas, from a blue hut on the hill.")


def test_four_commands_export_a_model_that_is_proved(environment: dict[str, str], tmp_path: Path) -> None:
    said = run("export.md", 4, environment, tmp_path)
    assert "F16: pass (template pass, tokenizer pass, merge none, conversion pass, quantisation none)" in said
    assert "Q8_0: pass (template pass, tokenizer pass, merge none, conversion pass, quantisation pass)" in said
    assert "pocket" in said.splitlines()[-1]


def test_a_ray_is_started_and_trains_as_the_page_of_clusters_says(environment: dict[str, str], tmp_path: Path) -> None:
    blocks = dict(CLUSTER.findall((ROOT / "docs" / "cluster.md").read_text("utf-8")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # On this machine there may be others, and cores enough for one alone.
    head = blocks["cluster-head"].replace("--port 6379", f"--port {port} --num-cpus 2")
    train = blocks["cluster-train"].replace("cluster=auto", f"cluster=127.0.0.1:{port}")
    assert head != blocks["cluster-head"]
    assert train != blocks["cluster-train"]
    output = tmp_path / "ray.log"
    words = ["sh", "-eu", "-c", head.replace("ray start", "exec ray start")]
    with output.open("w") as file, subprocess.Popen(words, env=environment, stdout=file, stderr=file) as ray:
        try:
            end_s = time.monotonic() + TIMEOUT_S
            while "Ray runtime started" not in output.read_text("utf-8"):
                assert ray.poll() is None, output.read_text("utf-8")
                assert time.monotonic() < end_s
                time.sleep(0.2)
            done = subprocess.run(
                ["sh", "-eu", "-c", train],
                env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
        finally:
            ray.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"llama-keeper\s.*\bdone\b", done.stdout.splitlines()[-1]), done.stdout
