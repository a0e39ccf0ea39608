"""Owns the walls around a workspace's programs: the words that start one within them; starts none itself.

On Linux they are bubblewrap's: namespaces of its own, a read-only system with little of `/etc`, a filter of system
calls, and, where paddock is root, a user of its own, whom nothing on this machine belongs to. On macOS a profile of
`sandbox-exec`, written and never run. "none" is what a person asked for who has walls elsewhere, such as a container.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paddock.sandbox.pythons import Python

Kind = Literal["bubblewrap", "seatbelt", "none"]

INSIDE = Path(__file__).with_name("interpreter.py")
# Where the workspace lies for the programs in it, and what they are known as.
WORKSPACE, _PROGRAM, _NUMBER = "/workspace", "/run/interpreter.py", "1000"
_NAMESPACES = ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
# What of /etc programs need: where libraries lie, the time of day, fonts, and whom to trust, where there is a network.
_SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts", "/etc/ssl/certs", "/nix/store")
_FOR_NETWORK = ("/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/etc/services", "/etc/ca-certificates")
# What root alone may read of the kernel, and is not root's in here.
_COVERED = ("kcore", "kmsg", "keys", "kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "slabinfo", "vmallocinfo",
            "timer_list", "sched_debug", "key-users")  # fmt: skip
_PEOPLE = {"passwd": f"person:x:{{0}}:{{0}}::{WORKSPACE}:/bin/sh\n", "group": "person:x:{0}:\n"}
# Numbers that no user of a machine has.
_FIRST_USER, _USERS = 2**30, 2**20
_FEW_USERS = 4096
# To give files away, read them all, become another, and mount.
_NEEDED_RIGHTS = sum(1 << right for right in (0, 1, 6, 7, 21))


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a program gets of this machine.

    Attributes:
        folder: the workspace's own, with `files`, `tmp`, `shared` and `etc` in it.
        hidden: what it must not see, wherever that lies.
        user: the number that it becomes, where paddock is root; None: paddock's own.
    """

    folder: Path
    python: Python
    hidden: tuple[Path, ...]
    has_network: bool
    user: int | None

    @property
    def files(self) -> Path:
        """The workspace, which outlives its programs."""
        return self.folder / "files"

    @property
    def writable(self) -> tuple[Path, ...]:
        """All that its programs can write."""
        return (self.files, self.folder / "tmp", self.folder / "shared")

    def make(self) -> None:
        """Make what is not there, for nobody else. Blocks. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        for one in self.writable:
            # Root that gave up its rights has to go through.
            one.mkdir(mode=0o755, exist_ok=True)
            if self.user is not None:
                os.chown(one, self.user, self.user, follow_symlinks=False)
        etc = self.folder / "etc"
        etc.mkdir(mode=0o755, exist_ok=True)
        for name, text in _PEOPLE.items():
            (etc / name).write_text(text.format(self.user or _NUMBER), "ascii")
            os.chmod(etc / name, 0o644)


def kind_here() -> Kind:
    """The walls that there are on such a system; "none" where there are none."""
    return {"linux": "bubblewrap", "darwin": "seatbelt"}.get(sys.platform, "none")  # pyright: ignore[reportReturnType]


def free_user() -> int | None:
    """A number for programs that root starts, which nobody has; None where paddock is no root that can mount.

    Some containers' root cannot, and may yet make namespaces as anybody does.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    try:
        first, _, count = map(int, Path("/proc/self/uid_map").read_text("ascii").split("\n")[0].split())
        status = Path("/proc/self/status").read_text("utf-8", "replace")
        rights = int(status.partition("\nCapEff:")[2].split()[0], 16)
    except (OSError, ValueError, IndexError):
        return None
    if rights & _NEEDED_RIGHTS != _NEEDED_RIGHTS:
        return None
    if first == 0 and count > _FIRST_USER + _USERS:
        return _FIRST_USER + secrets.randbelow(_USERS)
    # A container's root has some thousands of numbers; the last are nobody's but 65534.
    return first + count - 64 - secrets.randbelow(_FEW_USERS) if count > 4 * _FEW_USERS else None


def folder_within(place: Place, kind: Kind) -> str:
    """Where a program finds the workspace."""
    return WORKSPACE if kind == "bubblewrap" else str(place.files)


def environment(place: Place, kind: Kind) -> dict[str, str]:
    """All that a program's environment holds."""
    home, tmp = folder_within(place, kind), "/tmp" if kind == "bubblewrap" else str(place.folder / "tmp")
    return {
        "PATH": f"{place.python.path.parent}:/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": tmp,
        "LANG": "C.UTF-8", "TERM": "dumb", "MPLBACKEND": "Agg", "MPLCONFIGDIR": f"{tmp}/matplotlib",
        "XDG_CACHE_HOME": f"{tmp}/cache",
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "2"),
    }  # fmt: skip


def words(
    kind: Kind, place: Place, order: Mapping[str, object], *, program: str = "", descriptors: tuple[int, int] = (0, 0)
) -> list[str]:
    """The command that starts the inside, within walls.

    Args:
        order: what `interpreter.py` is told.
        program: what bubblewrap is found as.
        descriptors: from the first it reads the filter, on the second it tells the number of the process within.
    """
    # What only makes way for a command needs no packages.
    inside = [str(place.python.path), "-I", "-B", "-X", "utf8", *(["-S"] if "command" in order else [])]
    told = json.dumps(order)
    if kind == "bubblewrap":
        return [*_bubblewrap(place, program, descriptors), *inside, _PROGRAM, told]
    if kind == "seatbelt":
        return ["/usr/bin/sandbox-exec", "-p", profile(place), *inside, str(INSIDE), told]
    return [*inside, str(INSIDE), told]


def _bubblewrap(place: Place, program: str, descriptors: tuple[int, int]) -> list[str]:
    found = [program, *_NAMESPACES, "--hostname", "workspace"]
    if not place.has_network:
        found.append("--unshare-net")
    if place.user is None:
        found += ["--unshare-user", "--uid", _NUMBER, "--gid", _NUMBER, "--cap-drop", "ALL"]
    else:
        # To become that user is the one right that root keeps, until it did.
        found += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    found += _system(("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"))
    found += ["--proc", "/proc", "--dev", "/dev", "--perms", "0755", "--dir", "/etc"]
    for name in _COVERED:
        if os.path.exists(f"/proc/{name}"):
            found += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    for name in (*_SYSTEM, *(_FOR_NETWORK if place.has_network else ())):
        found += [*_parents(Path(name)), "--ro-bind-try", os.path.realpath(name), name]
    for name in _PEOPLE:
        found += ["--ro-bind", str(place.folder / "etc" / name), f"/etc/{name}"]
    files, tmp, shared = map(str, place.writable)
    found += ["--bind", tmp, "/tmp", "--bind", shared, "/dev/shm", "--bind", files, WORKSPACE]
    for folder in place.python.folders:
        found += [*_parents(folder), "--ro-bind", str(folder), str(folder)]
    # What must not be seen may lie within what was just shown.
    shown = [Path("/usr"), *place.python.folders]
    for one in place.hidden:
        if any(one.is_relative_to(folder) for folder in shown) and one.is_dir():
            found += ["--tmpfs", str(one), "--remount-ro", str(one)]
            found += [word for folder in place.python.folders if folder.is_relative_to(one)
                      for word in (*_parents(folder), "--ro-bind", str(folder), str(folder))]  # fmt: skip
    found += [*_parents(Path(_PROGRAM)), "--ro-bind", str(INSIDE), _PROGRAM]
    for name in ("/proc", "/dev", "/"):
        found += ["--remount-ro", name]
    found += ["--new-session", "--die-with-parent", "--chdir", "/", "--clearenv"]
    for name, value in environment(place, "bubblewrap").items():
        found += ["--setenv", name, value]
    return [*found, "--seccomp", str(descriptors[0]), "--info-fd", str(descriptors[1]), "--"]


def _system(names: Sequence[str]) -> list[str]:
    """The system's own folders, read-only, or the links to them."""
    found: list[str] = []
    for name in names:
        if os.path.islink(name):
            found += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            found += ["--ro-bind", name, name]
    return found


def _parents(path: Path) -> list[str]:
    """Folders above one that is shown, which whoever is inside may go through."""
    return [word for one in reversed(path.parents[:-1]) for word in ("--perms", "0755", "--dir", str(one))]


def bubblewrap() -> str | None:
    """Where bubblewrap lies."""
    return shutil.which("bwrap")


def profile(place: Place) -> str:
    """What `sandbox-exec` allows on macOS: all that is not said is refused. Written, never run."""
    read = ["/usr", "/bin", "/sbin", "/System", "/Library/Frameworks", "/private/var/db/dyld", "/opt/homebrew",
            *map(str, place.python.folders), str(INSIDE)]  # fmt: skip
    hidden = "".join(f"(deny file-read* file-write* (subpath {_quoted(one)}))\n" for one in map(str, place.hidden))
    readable = " ".join(f"(subpath {_quoted(one)})" for one in read)
    writable = " ".join(f"(subpath {_quoted(str(one))})" for one in place.writable)
    python = "".join(f"(allow file-read* (subpath {_quoted(str(one))}))\n" for one in place.python.folders)
    network = "(allow network-outbound)\n(allow system-socket)\n" if place.has_network else ""
    return (
        "(version 1)\n(deny default)\n(allow process-fork)\n(allow process-exec)\n"
        "(allow signal (target same-sandbox))\n"
        "(allow sysctl-read)\n(allow file-read-metadata)\n"
        f'(allow file-read* (literal "/") {readable})\n{hidden}{python}'
        '(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero") (literal "/dev/urandom"))\n'
        f"(allow file-read* file-write* {writable})\n{network}"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
