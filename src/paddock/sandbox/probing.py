"""Owns whether code of models can be run here, and why not: by trying to get out of the walls that there are."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from paddock.sandbox import files, pythons
from paddock.sandbox.walls import Kind, Place, bubblewrap, environment, folder_within, free_user, kind_here, words

_PROCESSORS = ("x86_64", "aarch64")
_TRY_TIMEOUT_S = 30.0
# How long a refusal counts: what was missing may have been installed.
_REFUSED_S = 30.0
_UNSAFE = (
    "Where paddock itself runs in a container or a virtual machine that is wall enough, `paddock serve --tools-unsafe` "
    "runs code without any."
)
# Each says its name where it gets through, and does no harm then. `{hidden}`, `{port}` and `{pid}` are outside.
_TRIES = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(result):
    if result and ctypes.get_errno() == 1: raise OSError(1, "")
def reads(): open({hidden!r}).read()
def connects(): socket.create_connection(("127.0.0.1", {port}), 1).close()
def signals(): os.kill({pid}, 0)
def writes(): os.close(os.open("/usr", os.O_TMPFILE | os.O_RDWR))
def looks(): open("/proc/{pid}/environ").read()
def traces(): refused(libc.ptrace(0, 0, 0, 0))
def mounts(): refused(libc.mount(b"none", b"/is/not/there", b"tmpfs", 0, None))
def unshares(): refused(libc.unshare(0x10000000))
for deed in ({deeds}):
    try: deed()
    except OSError: continue
    print(deed.__name__)
print("tried")
"""
_DEEDS = {
    "linux": "reads, connects, signals, writes, looks, traces, mounts, unshares,",
    "darwin": "reads, connects, writes,",
}

_lock = threading.Lock()
_found: tuple[str | None, float] | None = None


def available(*, is_unsafe: bool = False) -> str | None:
    """Why code of models cannot be run here, with the next step, as sentences; None where it can. Blocks.

    The first time the walls are tried, which takes a tenth of a second; what was found counts from then on, a refusal
    for half a minute.

    Args:
        is_unsafe: whether it may run without walls.
    """
    global _found
    if is_unsafe and sys.platform != "win32":
        return None
    with _lock:
        if _found is None or (_found[0] and time.monotonic() - _found[1] > _REFUSED_S):
            _found = (refusal(), time.monotonic())
        return _found[0]


def refusal() -> str | None:
    """Why code of models cannot be run here, tried anew; None where it can. Blocks."""
    kind = kind_here()
    if sys.platform == "win32":
        return "Code is not run on Windows, where paddock has no walls for it. Run paddock in WSL, or in a container."
    if kind == "none":
        return f"Code is run within walls on Linux and macOS alone; this machine is {sys.platform}. {_UNSAFE}"
    if kind == "bubblewrap":
        if platform.machine() not in _PROCESSORS:
            return f"The filter of system calls is written for x86-64 and arm64, not {platform.machine()}. {_UNSAFE}"
        if bubblewrap() is None:
            return (
                "Code is run within the walls of bubblewrap, which is not installed. Install it: apt install "
                f"bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora), apk add bubblewrap (Alpine). {_UNSAFE}"
            )
    with tempfile.TemporaryDirectory(prefix="paddock-probe-") as name:
        folder = Path(name)
        try:
            return tried(kind, folder)
        except OSError as error:
            return f"The walls for code cannot be tried here: {error}. Mend that, and look again with `paddock doctor`."
        finally:
            files.remove(folder / "room")


def tried(kind: Kind, folder: Path, build: Callable[..., list[str]] = words) -> str | None:
    """What gets through the walls, as sentences; None where nothing does. Blocks. Raises OSError.

    Args:
        folder: an empty one.
        build: what makes the words that start a program within walls.
    """
    hidden = folder / "hidden"
    hidden.write_text("hidden", "ascii")
    python = pythons.best()
    user = free_user() if kind == "bubblewrap" else None
    place = Place(folder=folder / "room", python=python, hidden=(folder,), has_network=False, user=user)
    place.make()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = _TRIES.format(hidden=str(hidden), port=port, pid=os.getpid(), deeds=_DEEDS.get(sys.platform, ""))
        # Within a namespace of processes the number names another, or nobody.
        script = place.files / "tries.py"
        script.write_text(code, "ascii")
        within = f"{folder_within(place, kind)}/tries.py"
        order: dict[str, object] = {
            "limits": {},
            "user": user,
            "folder": folder_within(place, kind),
            "command": [str(python.path), "-I", within],
        }
        done = _run(kind, place, order, build)
    said = done.stdout.split()
    if "tried" not in said:
        words_said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return f"The walls for code cannot be built here: {words_said}. {_advice(words_said)}"
    through = [word for word in said if word != "tried"]
    if through:
        return f"The walls for code do not hold here: a program within {', '.join(through)}. {_UNSAFE}"
    return None


def _run(
    kind: Kind, place: Place, order: Mapping[str, object], build: Callable[..., list[str]]
) -> subprocess.CompletedProcess[str]:
    """Run a program within walls, to its end."""
    descriptors: list[int] = []
    try:
        if kind == "bubblewrap":
            from paddock.sandbox.syscalls import filter_to_read

            descriptors = [filter_to_read(), os.open(os.devnull, os.O_WRONLY)]
        pair = (descriptors[0], descriptors[1]) if descriptors else (0, 0)
        return subprocess.run(
            build(kind, place, order, program=bubblewrap() or "bwrap", descriptors=pair),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_TRY_TIMEOUT_S,
            check=False, cwd="/", env={} if kind == "bubblewrap" else environment(place, kind), pass_fds=descriptors,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise OSError(f"nothing came within {_TRY_TIMEOUT_S:g} s") from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _advice(said: str) -> str:
    """What to do about bubblewrap's last words."""
    if any(part in said for part in ("namespace", "Operation not permitted", "uid map", "setting up", "No permission")):
        return (
            "The kernel refuses namespaces: in a container, allow them (`--security-opt seccomp=unconfined` and "
            "`--security-opt apparmor=unconfined`, or `--privileged`); on Ubuntu, install its profile of bubblewrap "
            f"for AppArmor (apparmor-profiles). {_UNSAFE}"
        )
    return f"See what bubblewrap needs: run `bwrap --ro-bind / / --unshare-all true`. {_UNSAFE}"
