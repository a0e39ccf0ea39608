"""Owns making an environment of paddock: which Python may, what from, what is proved before it is used.

Refuses to know where it lies among others (`prefix`) and how that is told to a person. Python's standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import Literal

from paddock.errors import DiskTooFull, SetupFailed, size
from paddock.install.pip import Say, ask, environment_of, pip
from paddock.install.prefix import WORK, Prefix, Record, python_in

OLDEST = (3, 11)
# Measured on Linux x86-64 in November 2026: what comes, and what it takes unpacked.
DOWNLOAD_BYTES = 85 * 10**6
NEEDED_BYTES = 700 * 10**6
_LOCK = "paddock/install/run.txt"
# What is installed over it for the setting trace_endpoint.
_TRACES_LOCK = "paddock/install/trace.txt"
_TRACES = "opentelemetry_sdk-*.dist-info"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(==[\w.!+]+)?")
_PROOF_S = 120.0
_PROOF = "import paddock.app, xllamacpp"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What paddock is installed from: a checkout's folder, a wheel, or a package's name, also with a version."""

    kind: Literal["checkout", "wheel", "package"]
    text: str

    @classmethod
    def of(cls, text: str) -> Source:
        """What a person named. Raises SetupFailed."""
        # Whatever can be no path is none of these, and nothing is raised of it.
        path = Path(os.path.expanduser(text))
        if text and os.path.isfile(path / "pyproject.toml"):
            return cls(kind="checkout", text=str(path.absolute()))
        if os.path.isfile(path) and path.suffix == ".whl":
            return cls(kind="wheel", text=str(path.absolute()))
        if _NAME.fullmatch(text) and not os.path.exists(path):
            return cls(kind="package", text=text)
        raise SetupFailed(f"'{text}' is neither a checkout of paddock, nor a wheel, nor the name of a package.")

    @property
    def told(self) -> str:
        """In words."""
        return {"checkout": "the checkout ", "wheel": "the wheel ", "package": "the package "}[self.kind] + self.text


def base_python() -> Path:
    """The Python that environments are made of: never one of an environment itself."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


def check_python() -> None:
    """Raises SetupFailed where this Python cannot make an environment in which paddock runs."""
    told = f"Python {platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST:
        raise SetupFailed(f"paddock needs Python 3.11 or newer; this is {told}.")
    if struct.calcsize("P") < 8:
        raise SetupFailed(f"{told} has 32 bits, and the engine needs 64. Install a Python of 64 bits.")
    if sys.platform == "darwin" and platform.machine() == "x86_64" and _is_apple_processor():
        raise SetupFailed(f"{told} is made for Intel, and this Mac has an Apple processor. Install its own Python.")
    if util.find_spec("ensurepip") is None or util.find_spec("venv") is None:
        raise SetupFailed(
            f"{told} cannot make environments, as a part of it is packaged apart. On Debian and Ubuntu: "
            f"apt install python3.{sys.version_info[1]}-venv. Without rights for that: uv python install 3.12"
        )


def _is_apple_processor() -> bool:
    done = subprocess.run(["sysctl", "-n", "hw.optional.arm64"], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "1"


def check_space(folder: Path, needed_bytes: int = NEEDED_BYTES) -> None:
    """Raises DiskTooFull where a folder that is to be made has no room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < needed_bytes:
        raise DiskTooFull(
            f"{folder} needs {size(needed_bytes)}, and {size(free_bytes)} are free there. Free space, or choose "
            "another place with --prefix."
        )


def plan(source: Source, prefix: Prefix) -> list[str]:
    """What an installation will do, one sentence a line."""
    index = os.environ.get("PIP_INDEX_URL") or "the package index that pip is set to"
    lines = [
        f"Installs {source.told}",
        f"     into {prefix.root}",
        f"     with Python {platform.python_version()} ({base_python()}).",
        f"Downloads paddock's packages, about {size(DOWNLOAD_BYTES)} where none is in pip's cache, from {index}.",
    ]
    if source.kind == "checkout":
        lines.append("Builds the wheel first; where the page is not built yet, that fetches Node's packages by npm.")
    before = prefix.current()
    if before:
        lines.append(f"What is there now ({before}) stays as it is until the new environment has proved to work.")
    return lines


def install(source: Source, prefix: Prefix, *, say: Say) -> Record:
    """Make a new environment beside what is there, prove it, and use it.

    Whatever fails, or cuts it short, leaves what was used before in use. What was downloaded stays in pip's cache, so
    that the next run goes on from there.

    Raises:
        DiskTooFull, InstallBusy, HomeUnusable, SetupFailed
    """
    check_python()
    check_space(prefix.root)
    with prefix.alone():
        prefix.sweep()
        environment = prefix.fresh()
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(shutil.rmtree, environment, ignore_errors=True)
            record = _make(source, environment, has_traces=_has_traces(prefix), say=say)
            say("Trying it.")
            record = replace(record, version=prove(environment))
            prefix.finish(environment, record)
            unfinished.pop_all()
        prefix.use(environment.name)
        prefix.sweep()
    return record


def prove(environment: Path) -> str:
    """The version that an environment's paddock tells, once it and its engine could be loaded. Raises SetupFailed."""
    python = python_in(environment)
    works, said = ask(python, "", words=["-m", "paddock", "--version"], timeout_s=_PROOF_S)
    if works:
        works, trouble = ask(python, _PROOF, timeout_s=_PROOF_S)
        if works:
            return said.removeprefix("paddock ")
        said = trouble
    raise SetupFailed(f"What was installed does not start: {said}. Nothing was changed; `paddock doctor` tells more.")


def make_venv(environment: Path) -> Path:
    """An empty environment; returns its Python. Raises SetupFailed."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    command = [str(base_python()), "-I", "-m", "venv", str(environment)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SetupFailed(f"`python -m venv` failed: {(done.stdout + done.stderr).strip()[-1000:]}")
    return python_in(environment)


def _has_traces(prefix: Prefix) -> bool:
    """Whether OpenTelemetry was installed into what is used: a paddock that sends traces must start after it, too."""
    current = prefix.current()
    places = [prefix.root / current / place for place in ("lib", "Lib")] if current else []
    return any(next(place.glob(f"**/site-packages/{_TRACES}"), None) for place in places)


def _make(source: Source, environment: Path, *, has_traces: bool, say: Say) -> Record:
    say(f"Making an environment in {environment}.")
    python = make_venv(environment)
    # Not within it: environments hold a .gitignore, by which Tailwind would not see the page's sources.
    work = environment.parent / WORK
    work.mkdir()
    try:
        wheel = _wheel(source, python, work, say=say)
        lock = (_lock_of(wheel, work, _TRACES_LOCK) if has_traces else None) or _lock_of(wheel, work, _LOCK)
        if lock is None:
            say("Installing; this wheel has no lock, so that only the index vouches for its packages.")
            pip(python, ["install", "--only-binary=:all:", str(wheel)], what="paddock", say=say)
        else:
            count = sum("==" in line for line in lock.read_text("utf-8").splitlines())
            say(f"Installing up to {count} packages, each checked against its hash.")
            words = ["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(lock)]
            pip(python, words, what="What paddock needs", say=say)
            pip(python, ["install", "--no-deps", "--no-index", str(wheel)], what="paddock", say=say)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Record(version="", source=source.text, python=platform.python_version(), made_s=int(time.time()))


def _wheel(source: Source, python: Path, work: Path, *, say: Say) -> Path:
    """The wheel of a source, fetched or built where it is not one."""
    if source.kind == "wheel":
        return Path(source.text)
    made = work / "wheel"
    if source.kind == "package":
        say(f"Downloading {source.text}.")
        words = ["download", "--no-deps", "--only-binary=:all:", "-d", str(made), source.text]
        pip(python, words, what=source.text, say=say)
    else:
        _build(Path(source.text), made, work, say=say)
    return next(made.glob("*.whl"))


def _build(checkout: Path, made: Path, work: Path, *, say: Say) -> None:
    say("Building the wheel.")
    if not os.access(checkout, os.W_OK):
        left_out = shutil.ignore_patterns(".venv", ".git", "node_modules", "__pycache__", ".*_cache")
        checkout = Path(shutil.copytree(checkout, work / "checkout", ignore=left_out))
        _make_writable(checkout)
    python = make_venv(work / "build")
    for name in ("build", "node") if _needs_node(checkout) else ("build",):
        lock = checkout / "requirements" / f"{name}.txt"
        words = ["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(lock)]
        pip(python, words, what=f"What builds the wheel ({name})", say=say)
    command = [str(python), "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    told = environment_of()
    done = subprocess.run(
        command, cwd=checkout, env=told, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise SetupFailed(f"The wheel could not be built: {(done.stdout + done.stderr).strip()[-1500:]}")


def _needs_node(checkout: Path) -> bool:
    """Whether the page is yet to be built, and this machine has no Node that could."""
    code = "from tools import build_page; print(build_page.is_fresh() or build_page.npm() is not None)"
    words: Sequence[str] = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout.strip() != "True"


def _make_writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


def _lock_of(wheel: Path, work: Path, name: str) -> Path | None:
    with contextlib.suppress(KeyError, OSError, zipfile.BadZipFile), zipfile.ZipFile(wheel) as archive:
        lock = work / "lock.txt"
        lock.write_bytes(archive.read(name))
        return lock
    return None
