"""Owns which steps of an export are whole, by the size of each file that they made; what is half is made anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paddock.errors import PaddockError
from paddock.paths import write_whole

_SOURCES = "source"


class Ledger:
    """The steps of the export in one folder. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / "steps.json"
        try:
            self._steps: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            self._steps = {}

    def is_done(self, step: str) -> bool:
        """Whether all that it made is there, in the sizes that it had."""
        made: dict[str, int] | None = self._steps.get(step)
        try:
            return made is not None and all((self._root / name).stat().st_size == size for name, size in made.items())
        except OSError:
            return False

    def note(self, step: str, files: Iterable[Path]) -> int:
        """Write down that a step is done; the bytes that it made."""
        sizes = {
            str(one.relative_to(self._root)): one.stat().st_size
            for path in files
            for one in (sorted(path.rglob("*")) if path.is_dir() else [path])
            if one.is_file()
        }
        self._steps[step] = sizes
        write_whole(self._file, json.dumps(self._steps, indent=1))
        return sum(sizes.values())

    def hold_to(self, folders: Iterable[Path]) -> None:
        """Raises PaddockError where what the export is made of is not what it was when it began."""
        now = {
            str(one): [one.stat().st_size, one.stat().st_mtime_ns]
            for folder in folders
            for one in sorted(folder.iterdir())
            if one.is_file()
        }
        before = self._steps.setdefault(_SOURCES, now)
        if before != now:
            changed = next(name for name in {**before, **now} if before.get(name) != now.get(name))
            raise PaddockError(f"{changed} has changed since this export began. Begin a new one.")
        write_whole(self._file, json.dumps(self._steps, indent=1))

    def clear_halves(self) -> None:
        """Remove what was being written when a worker ended."""
        for draft in list(self._root.rglob(".*.draft*")):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)
