"""Tests the libraries that people write with, each in a process of its own, against the real engine and model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import pytest

from paddock.app import running
from paddock.config import load
from tests.clients.programs import ROOT

pytestmark = pytest.mark.anyio
SCRIPTS = Path(__file__).parent / "scripts"
PYTHON = ROOT / ".clients" / "python" / "bin"
NODE_MODULES = ROOT / ".clients" / "node" / "node_modules"
RUN_TIMEOUT_S = 180.0
NAMES = sorted(path.name for path in SCRIPTS.glob("use_*"))


def run(name: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One script, in an empty folder with an empty home."""
    script = SCRIPTS / name
    command = {".py": [str(PYTHON / "python"), str(script)], ".sh": ["sh", str(script)], ".mjs": ["node", name]}[
        script.suffix
    ]
    if script.suffix == ".mjs":
        # Node looks for libraries beside the script.
        (folder / name).write_text(script.read_text("utf-8"), "utf-8")
        (folder / "node_modules").symlink_to(NODE_MODULES)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PADDOCK_URL": url,
        "LLM": str(PYTHON / "llm"),
        "LLM_USER_PATH": str(folder / "llm"),
        # It would fetch prices of models from the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )


def test_every_library_has_its_script() -> None:
    assert len(NAMES) == 7


@pytest.mark.rule("libraries")
@pytest.mark.parametrize("name", NAMES)
async def test_a_library_works_against_the_real_engine(name: str, tmp_path: Path) -> None:
    settings = load({"port": 0, "context_tokens": 8192, "threads": 1}, environ={"PADDOCK_HOME": str(tmp_path / "home")})
    folder = tmp_path / "work"
    folder.mkdir()
    async with running(settings) as studio:
        done = await anyio.to_thread.run_sync(run, name, studio.url, folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert done.stdout.rstrip().endswith("done")
