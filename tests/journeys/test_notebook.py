"""The notebook, executed from its first cell to its last by a kernel of its own, with the wheel of this very tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "paddock.ipynb"
# A guard against hanging, not a measure of speed.
HANG_GUARD_S = 1800
# In a process of its own: a kernel's client leaves threads and sockets of its own behind.
_EXECUTE = """
import json, sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=1700, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
print("OUTPUTS", json.dumps([cell.outputs for cell in notebook.cells if cell.cell_type == "code"]))
"""


def executed(folder: Path, wheel: Path, **more: str) -> list[str]:
    """What each cell of code printed or showed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PADDOCK", "PYTHON"))}
    environment = {
        **kept,
        "PADDOCK_FROM": str(wheel),
        "IPYTHONDIR": str(folder / "ipython"),
        "HF_HUB_OFFLINE": "1",
        **more,
    }
    words = [sys.executable, "-c", _EXECUTE, str(NOTEBOOK), str(folder)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=HANG_GUARD_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: list[list[dict[str, Any]]] = json.loads(done.stdout.rpartition("OUTPUTS ")[2])
    return ["".join(one.get("text", "") or str(one.get("data", "")) for one in outputs) for outputs in told]


def built(folder: Path) -> Path:
    """The wheel of this tree."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((folder / "dist").glob("*.whl"))


def test_the_notebook_installs_starts_asks_shows_the_page_and_stops(tmp_path: Path) -> None:
    folder = tmp_path / "a notebook"
    folder.mkdir()
    version, address, answer, page, trained, stopped = executed(folder, built(tmp_path), PADDOCK_TRAIN="no")
    assert version.startswith("paddock ")
    assert address.startswith("http://127.0.0.1:")
    assert len(answer.split()) > 1
    assert address.strip() in page
    assert "200 the page is there" in page
    assert trained.strip() == "not trained"
    assert stopped.strip() == "stopped"
    assert (folder / "paddock-notebook" / "data").is_dir()


def test_the_notebook_is_kept_without_anything_that_a_run_leaves() -> None:
    cells: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 4
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.parametrize("word", ["!", "%"])
def test_the_notebook_is_python_alone(word: str) -> None:
    cells: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in cell["source"]]
    assert [line for line in lines if line.lstrip().startswith(word)] == []
