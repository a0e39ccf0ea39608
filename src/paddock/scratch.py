"""Owns what is in the making: private folders for the length of a request, and taking away what killed paddocks left.

Refuses to know what is made. A folder has the number of its process in its name; what nobody has written to for an hour
and no process of that number is there for is nobody's: several paddocks may share a home.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import psutil

from paddock.clock import steady_s
from paddock.errors import HomeUnusable
from paddock.paths import Home

_ABANDONED_S = 3600.0
# What `paths.write_whole` and `Home.ensure` write; drafts of models are `models/importing.py`'s.
_DRAFT = re.compile(r"\..+(?<!\.gguf)\.[0-9a-f]{8}\.draft|\.writable-\d+")


@asynccontextmanager
async def private_folder(home: Home) -> AsyncGenerator[Path]:
    """A folder for this paddock's owner alone, which goes with the block. Raises HomeUnusable."""
    folder = home.scratch / name_of_folder()
    try:
        await anyio.to_thread.run_sync(_make, folder)
    except OSError as error:
        raise HomeUnusable(
            f"The folder {home.scratch} cannot be written ({error.strerror}). Free space or mend its rights."
        ) from error
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


def name_of_folder() -> str:
    """The name of a private folder of this process."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def sweep(home: Home) -> None:
    """Take away what killed paddocks left half written; what cannot be removed stays. Blocks."""
    for path in _abandoned(home.scratch.glob("*")):
        shutil.rmtree(path, ignore_errors=True)
    for path in _abandoned([*home.root.glob(".*"), *home.root.glob("*/.*")]):
        if _DRAFT.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _make(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _abandoned(folder.parent.iterdir()):
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _abandoned(paths: Iterable[Path]) -> list[Path]:
    """Those that nobody has written to for long; of a folder, nor to what is in it."""
    oldest_s = steady_s() - _ABANDONED_S
    found: list[Path] = []
    for path in paths:
        with contextlib.suppress(OSError):
            inside = path.iterdir() if path.is_dir() else ()
            if not _is_at_work(path) and all(one.lstat().st_mtime < oldest_s for one in (path, *inside)):
                found.append(path)
    return found


def _is_at_work(path: Path) -> bool:
    """Whether the process whose folder this is runs: however old it looks, after a jump of the clock it is in use."""
    number = path.name.partition("-")[0]
    return path.is_dir() and number.isdecimal() and psutil.pid_exists(int(number))
