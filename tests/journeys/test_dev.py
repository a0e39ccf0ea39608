"""`dev.py` on a bare machine, with a package index of one local wheel: it sets up, skips, mends and explains."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dev

ROOT = Path(__file__).resolve().parents[2]
CLI = """import sys, tiny

def main():
    print("paddock", *sys.argv[1:], tiny.WORD)
"""


def make_wheel(folder: Path, version: str) -> str:
    """A wheel of the package `tiny`, and its line in a requirements file."""
    files = {
        "tiny.py": f'WORD = "{version}"\n',
        f"tiny-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"tiny-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    record += f"tiny-{version}.dist-info/RECORD,,\n"
    path = folder / f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"tiny-{version}.dist-info/RECORD": record}.items():
            wheel.writestr(name, text)
    return f"tiny=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a blank in its path, whose only requirement is the wheel beside it."""
    tree = tmp_path_factory.mktemp("a tree")
    (tree / "src" / "paddock" / "cli").mkdir(parents=True)
    (tree / "src" / "paddock" / "__init__.py").touch()
    (tree / "src" / "paddock" / "cli" / "__init__.py").write_text(CLI, "utf-8")
    (tree / "requirements").mkdir()
    (tree / "requirements" / "run.txt").write_text(make_wheel(tree, "1.0"), "utf-8")
    (tree / "requirements" / "test.txt").write_text("nothing-that-run-may-touch==1\n", "utf-8")
    (tree / "tools").mkdir()
    for name in ("dev.py", "tools/__init__.py", "tools/build_page.py", "tools/outcome.py"):
        (tree / name).write_bytes((ROOT / name).read_bytes())
    # A page without its sources, as archives hold it, is not built.
    (tree / "src" / "paddock" / "_page").mkdir()
    (tree / "src" / "paddock" / "_page" / "index.html").touch()
    return tree


def call(tree: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": tree.as_uri(), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def run(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call(tree, sys.executable, "dev.py", "run", "--", *words)


def test_a_checkout_sets_itself_up_and_the_next_start_does_no_more(tree: Path) -> None:
    first = run(tree, "--version")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Making .venv" in first.stdout
    assert first.stdout.endswith("paddock --version 1.0\n")
    again = run(tree, "--version")
    assert again.stdout == "paddock --version 1.0\n"
    assert call(tree, tree / ".venv" / "bin" / "paddock", "x").stdout == "paddock x 1.0\n"


def test_what_changed_is_installed_and_an_install_that_failed_is_begun_anew(tree: Path) -> None:
    good = make_wheel(tree, "2.0")
    wanted = tree / "requirements" / "run.txt"
    wanted.write_text(good.replace("sha256:", "sha256:0").replace("\n", "")[:-1] + "\n", "utf-8")
    failed = run(tree, "--version")
    assert failed.returncode != 0
    assert "pip could not install requirements/run.txt" in failed.stderr
    wanted.write_text(good, "utf-8")
    mended = run(tree, "--version")
    assert "Making .venv anew: an earlier install was interrupted." in mended.stdout
    assert mended.stdout.endswith("paddock --version 2.0\n")


def test_an_environment_of_another_place_is_made_anew(tree: Path) -> None:
    stamp = tree / ".venv" / "paddock.json"
    stamp.write_text(json.dumps({**json.loads(stamp.read_text("utf-8")), "for": "3.9 elsewhere"}), "utf-8")
    moved = run(tree, "--version")
    assert "Making .venv anew: it belongs to another Python or another place." in moved.stdout
    assert moved.returncode == 0


def test_an_old_python_can_read_what_it_is_told() -> None:
    assert ast.parse((ROOT / "dev.py").read_text("utf-8"), feature_version=(3, 7))


def test_counts_are_read_from_a_report_and_summed_in_one_closing_line(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="0"/></testsuites>', "utf-8")
    counts = dev.read_counts(report)
    assert counts == {"passed": 6, "failures": 2, "errors": 1, "skipped": 0}
    outcomes = [
        dev.Outcome(step="lint", code=0, took_s=1.25, counts={}),
        dev.Outcome(step="wire", code=1, took_s=2.5, counts=counts),
    ]
    assert dev.summary(outcomes) == "===== 2 failed, 6 passed, 1 errors in 3.75s (wire FAILED) ====="
    assert "| wire | failed | 6 | 3 | 2 |" in dev.verification(outcomes, ROOT)
