"""Tests making a build from source with a cmake that is a small program; the tier `source` runs the real one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.scripted_llama_server import lay_out, start

# What is asked of it goes into a journal; to build is to copy what lies beside it.
CMAKE = """#!/bin/sh
echo "$@" >> "$FOLDER/journal"
case "$1" in
  -S) test -f "$2/CMakeLists.txt" || { echo "CMake Error: no CMakeLists.txt"; exit 1; }; mkdir -p "$4" ;;
  --build)
    echo "[ 10%] Building CXX object"
    if [ -n "$HANGS" ]; then sleep 1000 & echo $! > "$FOLDER/compiler"; wait; fi
    if [ -n "$FAILS" ]; then echo "a.cpp:1: error: expected ';'"; echo "gmake: *** [all] Error 2"; exit 2; fi
    mkdir -p "$2/bin"; cp "$FOLDER"/made/build/bin/* "$2/bin/"; cp "$2/bin/llama-server" "$2/bin/llama-quantize"
    cp "$2/bin/llama-server" "$2/bin/llama-imatrix"
    echo "[100%] Built target llama-server" ;;
esac
"""
# The scripted llama-server is two files, and only the programs are kept: so this one names its other half.
PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from paddock.errors import BuildError
from paddock.install.installing import install_source
from paddock.install.manifest import Archive, SourceArchive
from paddock.install.watch import Watch
from paddock.paths import Home
archive, sha256, size, home, cancelled, *defines = sys.argv[1:]
expected = Archive(asset="p-1.tar.gz", size_bytes=int(size), sha256=sha256)
wanted = SourceArchive(package="p", version="1", root="p-1/llama.cpp", archive=expected)
home = Home(root=Path(home))
home.ensure()
done = []
is_cancelled = lambda: bool(cancelled) and Path(cancelled).exists()
watch = Watch(progress=lambda now, of: done.append(now), is_cancelled=is_cancelled)
try:
    build = install_source(wanted, home, archive=Path(archive), defines=defines, jobs=3, watch=watch)
except BuildError as error:
    print(json.dumps({"error": type(error).__name__, "message": error.message}))
else:
    files = sorted(path.name for path in build.binary.parent.iterdir())
    print(json.dumps({"name": build.name, "percent": done, "files": files}))
assert not list(home.engines.glob(".staging-*"))
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with cmake and a compiler, and what they make."""
    folder = tmp_path / "tools ü"
    binary = lay_out(folder / "made")
    binary.write_text(start(str(binary.parent)), "utf-8")
    for name, text in {"cmake": CMAKE, "c++": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)
    return folder


def archive(tmp_path: Path, name: str = "CMakeLists.txt") -> Path:
    path = tmp_path / "p-1.tar.gz"
    # Without gzip, whose header holds the time: the same sources have the same checksum.
    with tarfile.open(path, "w") as made:
        info = tarfile.TarInfo(f"p-1/llama.cpp/{name}")
        made.addfile(info, io.BytesIO())
    return path


def command(tmp_path: Path, path: Path, *more: str, sha256: str = "", cancelled: str = "") -> list[str]:
    digest = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    home = str(tmp_path / "home ü")
    return [sys.executable, "-c", PROGRAM, str(path), digest, str(path.stat().st_size), home, cancelled, *more]


def environment(tools: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "FOLDER": str(tools), **more}


def make(tmp_path: Path, tools: Path, *more: str, sha256: str = "", name: str = "CMakeLists.txt", **env: str) -> Any:
    words = command(tmp_path, archive(tmp_path, name), *more, sha256=sha256)
    done = subprocess.run(words, env=environment(tools, **env), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_build_is_made_tried_and_kept_with_its_programs_alone(tmp_path: Path, tools: Path) -> None:
    made = make(tmp_path, tools, "GGML_NATIVE=OFF")
    assert made["name"] == "p-1-source"
    assert made["percent"] == [10, 100]
    assert made["files"] == ["build.json", "flags.json", "llama-imatrix", "llama-quantize", "llama-server"]
    configured, compiled = (tools / "journal").read_text("utf-8").splitlines()
    assert "-DGGML_NATIVE=OFF" in configured
    assert "-DBUILD_SHARED_LIBS=OFF" in configured
    assert compiled.endswith("--config Release --parallel 3 --target llama-server llama-quantize llama-imatrix")


def test_the_same_sources_are_not_made_twice_but_other_definitions_are(tmp_path: Path, tools: Path) -> None:
    for defines in ((), (), ("GGML_NATIVE=OFF",)):
        make(tmp_path, tools, *defines)
    assert len((tools / "journal").read_text("utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    ("more", "env", "error", "words"),
    [
        ({"sha256": "0" * 64}, {}, "BuildRefused", "its size or SHA-256 is another"),
        ({"name": "README"}, {}, "BuildBroken", "no CMakeLists.txt"),
        ({}, {"FAILS": "1"}, "BuildBroken", "a.cpp:1: error: expected ';'"),
    ],
)
def test_what_fails_is_told_in_the_tools_own_words(
    tmp_path: Path, tools: Path, more: dict[str, str], env: dict[str, str], error: str, words: str
) -> None:
    failed = make(tmp_path, tools, **more, **env)
    assert failed["error"] == error
    assert words in failed["message"]


def test_what_is_no_definition_is_refused(tmp_path: Path, tools: Path) -> None:
    assert make(tmp_path, tools, "--toolchain=x")["error"] == "BuildRefused"


def test_a_cancelled_build_ends_the_compiler_too(tmp_path: Path, tools: Path) -> None:
    flag = tmp_path / "cancelled"
    words = command(tmp_path, archive(tmp_path), cancelled=str(flag))
    with subprocess.Popen(words, env=environment(tools, HANGS="1"), stdout=subprocess.PIPE, text=True) as process:
        journal = tools / "compiler"
        deadline = time.monotonic() + 60
        while not (journal.exists() and journal.read_text("utf-8").strip()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        compiler = psutil.Process(int(journal.read_text("utf-8")))
        flag.touch()
        said, _ = process.communicate(timeout=60)
    assert json.loads(said)["error"] == "BuildUnavailable"
    assert not compiler.is_running() or compiler.status() == psutil.STATUS_ZOMBIE
