"""What `pip install` gets: the program, its model and its licence, from the same tree."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import sbom

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/paddock/models/bundled").glob("*.gguf")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_the_bundled_model_the_licence_and_the_command(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        ends = {name.partition(".dist-info/")[2] for name in names}
        commands = next(wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert BUNDLED
    assert names >= BUNDLED | {"paddock/py.typed", "paddock/install/manifest.json", "paddock/install/support.toml"}
    # What an installation from the wheel is checked against.
    assert names >= {f"paddock/install/{name}.txt" for name in ("run", "trace", "training")}
    assert ends >= {"licenses/LICENSE", "licenses/NOTICE"}
    assert "paddock = paddock.cli:main" in commands
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"paddock"}


def test_the_wheel_lists_what_it_is_made_of(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        (name,) = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
        bill = json.loads(wheel.read(name))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {one["purl"].partition("@")[0]: one for one in bill["components"]}
    assert len(named) > 100
    # What is needed, what the page is made of, and nothing that only tests or builds.
    for wanted in ("pkg:pypi/xllamacpp", "pkg:pypi/starlette", "pkg:npm/react", "pkg:npm/%40tanstack/react-router"):
        assert wanted in named, wanted
    for unwanted in ("pkg:pypi/pytest", "pkg:npm/vite", "pkg:npm/typescript"):
        assert unwanted not in named, unwanted
    assert len(named["pkg:npm/react"]["hashes"][0]["content"]) == 128
    assert bill == sbom.bill()


def test_the_source_archive_holds_what_builds_tests_and_explains_it(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {f"src/{name}" for name in BUNDLED}
    assert names >= {"dev.py", "LICENSE", "NOTICE", "README.md", "requirements/run.txt", "tests/conftest.py"}
    assert names >= {"setup.sh", "setup.ps1", "setup.bat", "packaging/Containerfile", "notebooks/paddock.ipynb"}
