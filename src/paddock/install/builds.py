"""Owns which builds are installed and which one is active, in the data home; refuses to fetch, make or run any.

engines/NAME/build.json     the build's record, beside its files; alone where a person's own build lies elsewhere
engines/active.json         {"active": NAME or null, "previous": NAME or null}, replaced by one rename
engines/.staging-…          a build that is being made; swept by the next installer
engines/lock                held, by the system, while one paddock installs; says which
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from paddock.errors import BuildBroken, BuildUnknown, HomeUnusable, InstallBusy
from paddock.ownership import Ownership
from paddock.paths import Home, take_place, write_whole

Origin = Literal["release", "source", "path"]

EMBEDDED_NAME = "embedded"
PREVIOUS = "previous"
STAGING = ".staging-"
_RECORD = "build.json"
_ACTIVE = "active.json"
_PROGRAM = "llama-server.exe" if os.name == "nt" else "llama-server"
# Archives hold their program two or three folders deep.
_DEPTH_MOST = 6


@dataclass(frozen=True, kw_only=True)
class Build:
    """One installed build. `binary` is its llama-server, `sha256` its archive's checksum ("" for a path).

    `version` and `devices` are what its probe heard.
    """

    name: str
    origin: Origin
    binary: Path
    accelerator: str = "cpu"
    tag: str = ""
    sha256: str = ""
    version: str = ""
    devices: tuple[str, ...] = ()
    installed_s: int = 0


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The names of the active build and the one before it; None is the embedded engine, and nothing before."""

    active: str | None = None
    previous: str | None = None


class Builds:
    """The installed builds of one data home."""

    def __init__(self, home: Home) -> None:
        self.folder = home.engines

    def all(self) -> list[Build]:
        """Every build with a readable record, by name."""
        return sorted(
            (build for path in self.folder.glob(f"*/{_RECORD}") if (build := self._read(path.parent.name))),
            key=lambda build: build.name,
        )

    def find(self, name: str) -> Build:
        """A build by its name. Raises BuildUnknown."""
        build = self._read(name) if "/" not in name and os.sep not in name and not name.startswith(".") else None
        if build is None:
            known = ", ".join(f"'{other.name}'" for other in self.all()) or "none"
            raise BuildUnknown(f"There is no build '{name}'. Builds here: {known}; 'embedded' is the wheel's engine.")
        return build

    def pointer(self) -> Pointer:
        """Which build is active; the embedded engine where nothing was chosen. Raises BuildBroken."""
        path = self.folder / _ACTIVE
        try:
            said = json.loads(path.read_text("utf-8"))
            return Pointer(active=said["active"], previous=said["previous"])
        except FileNotFoundError:
            return Pointer()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildBroken(f"{path} cannot be read. Choose anew: `paddock engine use embedded`.") from error

    def active(self) -> Build | None:
        """The active build, None for the embedded engine. Raises BuildBroken where it is not there any more."""
        name = self.pointer().active
        if name is None:
            return None
        build = self._read(name)
        if build is None or not build.binary.is_file():
            raise BuildBroken(
                f"The active build '{name}' is not there any more; a virus scanner may have removed it. Install it "
                "again, or go back: `paddock engine use embedded`."
            )
        return build

    def activate(self, name: str | None) -> Pointer:
        """Make a build the active one, in one step; the one that was active is remembered. Raises HomeUnusable."""
        with contextlib.suppress(BuildBroken):
            before = self.pointer()
            if before.active == name:
                return before
            return self._point(Pointer(active=name, previous=before.active or EMBEDDED_NAME))
        return self._point(Pointer(active=name, previous=None))

    def previous(self) -> str | None:
        """The build to roll back to, None for the embedded engine. Raises BuildUnknown."""
        name = self.pointer().previous
        if name is None:
            raise BuildUnknown("No other build was active before this one. `paddock engine list` shows what there is.")
        return None if name == EMBEDDED_NAME else self.find(name).name

    def kept_flags(self, build: Build) -> Path:
        """The file for what the build's `--help` said."""
        return self.folder / build.name / "flags.json"

    @contextmanager
    def staging(self) -> Generator[Path]:
        """An empty folder beside the builds, removed with all that is still in it."""
        folder = self.folder / f"{STAGING}{uuid.uuid4().hex[:8]}"
        try:
            folder.mkdir(parents=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, build: Build, staged: Path) -> Build:
        """Give a staged build its name among the others, in one rename. Raises HomeUnusable."""
        name = self._free_name(build.name)
        folder = self.folder / name
        binary = folder / build.binary.relative_to(staged) if build.binary.is_relative_to(staged) else build.binary
        placed = replace(build, name=name, binary=binary, installed_s=int(time.time()))
        try:
            write_whole(staged / _RECORD, _written(placed, folder))
            take_place(staged, folder)
        except OSError as error:
            raise HomeUnusable(
                f"The build cannot be put into {self.folder} ({error.strerror or error}). A virus scanner may hold it: "
                "try again. The active build is as it was."
            ) from error
        return placed

    def remove(self, name: str) -> None:
        """Remove a build, and a pointer that leads back to it. Raises BuildUnknown, BuildBroken or HomeUnusable."""
        build = self.find(name)
        pointer = self.pointer()
        if pointer.active == name:
            raise BuildBroken(f"'{name}' is the active build. Use another first: `paddock engine use embedded`.")
        if pointer.previous == name:
            self._point(replace(pointer, previous=None))
        # Out of sight in one step: a removal that is cut short leaves no half build.
        going = self.folder / f"{STAGING}{uuid.uuid4().hex[:8]}"
        try:
            take_place(self.folder / build.name, going)
        except OSError as error:
            raise HomeUnusable(f"'{name}' cannot be removed ({error.strerror or error}). Stop what uses it.") from error
        shutil.rmtree(going, ignore_errors=True)

    @contextmanager
    def alone(self) -> Generator[None]:
        """Only one installer works on a data home; what one that was killed left behind is swept.

        The system holds the lock and lets go of it with its process, so that a stale one cannot stay.

        Raises:
            InstallBusy: another one works; the message says which process, and since when.
            HomeUnusable: the folder cannot be written.
        """
        lock = Ownership(self.folder / "lock")
        try:
            is_ours = lock.take()
        except OSError as error:
            raise HomeUnusable(
                f"{self.folder} cannot be written ({error.strerror}). Mend its rights, or move the data home with "
                "PADDOCK_HOME."
            ) from error
        if not is_ours:
            raise InstallBusy(f"Another paddock is installing{_told(lock.holder())}. Wait until it has ended.")
        try:
            for left in self.folder.glob(f"{STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.release()

    def _read(self, name: str) -> Build | None:
        folder = self.folder / name
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            said: dict[str, Any] = json.loads((folder / _RECORD).read_text("utf-8"))
            binary, devices = folder / said["binary"], tuple(map(str, said["devices"]))
            made: dict[str, Any] = {**said, "name": name, "binary": binary, "devices": devices}
            return Build(**made)
        return None

    def _point(self, pointer: Pointer) -> Pointer:
        try:
            write_whole(self.folder / _ACTIVE, json.dumps(asdict(pointer)))
        except OSError as error:
            raise HomeUnusable(
                f"{self.folder} cannot be written ({error.strerror or error}). The active build is as it was."
            ) from error
        return pointer

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while (self.folder / free).exists() or free in (EMBEDDED_NAME, PREVIOUS):
            number += 1
            free = f"{name}.{number}"
        return free


def find_program(folder: Path, program: str = _PROGRAM) -> Path | None:
    """A program of a build under a folder: the one that lies least deep."""
    level = [folder]
    for _ in range(_DEPTH_MOST):
        found = sorted(path / program for path in level if os.path.isfile(path / program))
        if found:
            return found[0]
        level = [inner for path in level for inner in _folders_in(path)]
    return None


def _folders_in(folder: Path) -> list[Path]:
    """The folders in one; none where it cannot be read, or has just gone."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def program_of(builds: Builds, build: Build | None) -> tuple[str, ...] | None:
    """The words that start a build's engine, before its flags; None for the embedded one."""
    if build is None:
        return None
    return installed_program(build.binary, builds.kept_flags(build))


def installed_program(binary: Path, kept_flags: Path) -> tuple[str, ...]:
    """The words that start the llama-server at `binary`; what it says of its flags is kept in `kept_flags`."""
    return (sys.executable, "-P", "-m", "paddock.engine.installed", str(binary), str(kept_flags))


def _written(build: Build, folder: Path) -> str:
    fields = asdict(build)
    inside = build.binary.is_relative_to(folder)
    fields["binary"] = str(build.binary.relative_to(folder) if inside else build.binary)
    return json.dumps(fields, indent=1)


def _told(holder: dict[str, Any]) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError, psutil.Error):
        since_s = max(0, int(time.time()) - int(holder["started_s"]))
        return f" (process {int(holder['pid'])}, {psutil.Process(int(holder['pid'])).name()}, since {since_s} s)"
    return ""
