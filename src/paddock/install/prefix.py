"""Owns where paddock itself is installed: which environments there are, which one is used; refuses to make any.

PREFIX/env-N/                  an environment; once it is whole never changed, and never renamed: its programs name it
PREFIX/env-N/paddock.json      its record, written last: an environment without one is a leftover
PREFIX/current, PREFIX/previous  names of environments, each replaced by one rename
PREFIX/.work                   what a setup works on; swept by the next
PREFIX/setup.json              what lies outside and belongs to it: the launcher, a menu entry
PREFIX/lock                    held, by the system, while one setup works here

Python's standard library alone, here and in what is imported: setup begins before anything is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from paddock.errors import HomeUnusable, InstallBusy, NotInstalled
from paddock.ownership import Ownership
from paddock.paths import write_whole

FOLDER = "program"
WORK = ".work"
_RECORD = "paddock.json"
_CURRENT, _PREVIOUS, _SETUP = "current", "previous", "setup.json"
_NAME = re.compile(r"env-(\d+)")
WINDOWS = os.name == "nt"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What an environment is. `source` is what it was installed from, as it can be given to setup again."""

    version: str
    source: str
    python: str
    made_s: int


def python_in(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / ("Scripts/python.exe" if WINDOWS else "bin/python")


def default_place(environ: Mapping[str, str] | None = None, system: str = sys.platform) -> Path:
    """Where paddock is installed if nobody says otherwise: `program` in the data home that `paths` would choose."""
    known = os.environ if environ is None else environ
    if chosen := known.get("PADDOCK_HOME"):
        return Path(chosen).expanduser().absolute() / FOLDER
    home = Path(known.get("HOME") or Path.home())
    if system == "win32":
        data = Path(known.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif system == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(known.get("XDG_DATA_HOME", "").strip() or home / ".local" / "share")
    return data / "paddock" / FOLDER


class Prefix:
    """One place in which paddock is, or is to be, installed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def around(cls, environment: Path) -> Prefix:
        """The place of which a running Python's environment is a part. Raises NotInstalled."""
        found = cls(environment.parent)
        if not _NAME.fullmatch(environment.name) or found.record(environment.name) is None:
            raise NotInstalled(
                f"This paddock runs from {environment}, which setup did not make: it is changed by what installed it, "
                "such as pip or git. `setup.sh --help` tells of the other way."
            )
        return found

    def current(self) -> str | None:
        """The name of the environment in use; None where there is none, or it is not whole."""
        return self._named(_CURRENT)

    def previous(self) -> str | None:
        """The name of the one before."""
        name = self._named(_PREVIOUS)
        return name if name != self.current() else None

    def names(self) -> list[str]:
        """The environments that are whole, oldest first."""
        return [name for name in self._all() if self.record(name)]

    def record(self, name: str) -> Record | None:
        """What an environment is; None where it is not whole."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Record(**json.loads((self.root / name / _RECORD).read_text("utf-8")))
        return None

    def fresh(self) -> Path:
        """A folder for a new environment, which is not there yet."""
        numbers = [int(name.partition("-")[2]) for name in self._all()]
        return self.root / f"env-{max(numbers, default=0) + 1}"

    def finish(self, environment: Path, record: Record) -> None:
        """Say that an environment is whole."""
        write_whole(environment / _RECORD, json.dumps(asdict(record), indent=1))

    def use(self, name: str) -> None:
        """Have an environment used from the next start on; the one before is remembered. One rename decides.

        Raises:
            NotInstalled: it is not whole.
            HomeUnusable: the place cannot be written; what was used stays in use.
        """
        if self.record(name) is None:
            raise NotInstalled(f"{self.root / name} is not a whole environment. Run setup again.")
        before = self.current()
        try:
            if before and before != name:
                write_whole(self.root / _PREVIOUS, f"{before}\n")
            write_whole(self.root / _CURRENT, f"{name}\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def roll_back(self) -> str:
        """Use the environment before this one; a second time comes back. Raises NotInstalled or HomeUnusable."""
        before = self.previous()
        if before is None:
            raise NotInstalled(f"In {self.root} there is no environment before this one to go back to.")
        self.use(before)
        return before

    def sweep(self) -> None:
        """Remove what was never finished, and all but the environment in use and the one before."""
        shutil.rmtree(self.root / WORK, ignore_errors=True)
        kept = {self.current(), self.previous()}
        for name in self._all():
            if name not in kept:
                shutil.rmtree(self.root / name, ignore_errors=True)

    def outside(self) -> dict[str, str]:
        """What lies outside and belongs to it, such as `{"launcher": PATH}`."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            said: dict[str, str] = json.loads((self.root / _SETUP).read_text("utf-8"))
            return {name: str(path) for name, path in said.items()}
        return {}

    def note_outside(self, found: Mapping[str, str]) -> None:
        """Remember that. Raises HomeUnusable."""
        try:
            write_whole(self.root / _SETUP, json.dumps(dict(found), indent=1))
        except OSError as error:
            raise self._unwritable(error) from error

    def remove(self) -> Sequence[Path]:
        """Remove every environment and record, then the folder where nothing else is in it; returns what stays there.

        The word of which is used goes first: an installation that is half gone is not started.
        """
        for name in (_CURRENT, _PREVIOUS, _SETUP):
            (self.root / name).unlink(missing_ok=True)
        for name in (*self._all(), WORK):
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.root.rmdir()
        return sorted(self.root.iterdir()) if self.root.is_dir() else []

    @contextmanager
    def alone(self) -> Generator[None]:
        """Only one setup works on a place. Raises InstallBusy or HomeUnusable."""
        lock = Ownership(self.root / "lock")
        try:
            is_ours = lock.take()
        except OSError as error:
            raise self._unwritable(error) from error
        if not is_ours:
            holder = lock.holder().get("pid", "unknown")
            raise InstallBusy(f"Another setup works in {self.root} (process {holder}). Wait until it has ended.")
        try:
            yield
        finally:
            lock.release()

    def _all(self) -> list[str]:
        found = [path.name for path in self.root.glob("env-*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda name: int(name.partition("-")[2]))

    def _named(self, pointer: str) -> str | None:
        with contextlib.suppress(OSError, ValueError):
            name = (self.root / pointer).read_text("utf-8").strip()
            return name if _NAME.fullmatch(name) and self.record(name) else None
        return None

    def _unwritable(self, error: OSError) -> HomeUnusable:
        return HomeUnusable(
            f"{self.root} cannot be written ({error.strerror or error}). Mend its rights, or choose another place "
            "with --prefix."
        )
