"""Owns which Python a workspace gets: looks at those that there are; installs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

LIBRARIES = ("numpy", "pandas", "matplotlib")
_LOOK = (
    "import importlib.util as u, json, sys; "
    "print(json.dumps([sys.prefix, sys.base_prefix, sys.version.split()[0], "
    f"[n for n in {LIBRARIES!r} if u.find_spec(n)]]))"
)
_LOOK_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Python:
    """An interpreter.

    Attributes:
        folders: what of the machine it needs, beside the system's own.
        libraries: those of `LIBRARIES` that it has.
    """

    path: Path
    version: str
    folders: tuple[Path, ...]
    libraries: tuple[str, ...]

    def told(self) -> str:
        """What it is, in words."""
        missing = [name for name in LIBRARIES if name not in self.libraries]
        has = f"with {', '.join(self.libraries)}" if self.libraries else "with its standard library"
        return f"Python {self.version} {has}{', without ' + ', '.join(missing) if missing else ''}"


def best(others: Sequence[Path] = ()) -> Python:
    """The one that has most of the libraries: this process's own, or another, where that has more. Blocks.

    Args:
        others: interpreters that are there, such as the training stack's.
    """
    own = _looked_at(sys.executable) or _bare()
    found = [own, *(one for path in others if (one := _looked_at(str(path))))]
    chosen = max(found, key=lambda one: len(one.libraries))
    # This process's own is there too, for programs that are ours.
    return replace(chosen, folders=tuple(dict.fromkeys((*chosen.folders, *own.folders))))


@lru_cache(maxsize=16)
def _looked_at(path: str) -> Python | None:
    """What an interpreter says of itself; None where it does not."""
    words = [path, "-I", "-c", _LOOK]
    try:
        done = subprocess.run(words, capture_output=True, timeout=_LOOK_TIMEOUT_S, check=True)
        prefix, base, version, libraries = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Python(path=Path(path), version=version, folders=_folders(prefix, base), libraries=(*libraries,))


def _bare() -> Python:
    version = ".".join(map(str, sys.version_info[:3]))
    folders = _folders(sys.prefix, sys.base_prefix)
    return Python(path=Path(sys.executable), version=version, folders=folders, libraries=())


def _folders(*prefixes: str) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(prefix) for prefix in prefixes if not Path(prefix).is_relative_to("/usr")))
