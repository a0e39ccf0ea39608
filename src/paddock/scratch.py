"""Owns what is in the making: private folders for the length of a request, and taking away what killed paddocks left.

Refuses to know what is made. Drafts and folders name the process that writes them: what nobody has written to for an
hour, and whose process has ended, is nobody's. Several paddocks may share a home.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from paddock import process
from paddock.clock import steady_s
from paddock.errors import HomeUnusable
from paddock.paths import Home

_ABANDONED_S = 3600.0
_WRITER = re.compile(r"(?:^|\.|draft-)(\d+-\d+)-[0-9a-f]{8,32}(?:\.[\w.-]*)?$")
# What `paths.write_whole` and `Home.ensure` write; drafts of models are `models/importing.py`'s.
_DRAFT = re.compile(r"\..+(?<!\.gguf)\.(?:\d+-\d+-)?[0-9a-f]{8}\.draft|\.writable-\d+")


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
    return f"{process.this()}-{secrets.token_hex(8)}"


def sweep(home: Home) -> None:
    """Take away what killed paddocks left half written; what cannot be removed stays. Blocks."""
    for path in _left(home.scratch.glob("*"), _ABANDONED_S):
        shutil.rmtree(path, ignore_errors=True)
    take_left(path for path in (*home.root.glob(".*"), *home.root.glob("*/.*")) if _DRAFT.fullmatch(path.name))


def take_left(drafts: Iterable[Path], after_s: float = _ABANDONED_S) -> None:
    """Take away those drafts that nobody writes, or has written to for so long; what cannot be removed stays.

    Blocks.
    """
    for draft in _left(drafts, after_s):
        with contextlib.suppress(OSError):
            draft.unlink()


def _make(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _left(folder.parent.iterdir(), _ABANDONED_S):
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _left(paths: Iterable[Path], after_s: float) -> list[Path]:
    """Those that nobody has written to for long; of a folder, nor to what is in it."""
    oldest_s = steady_s() - after_s
    found: list[Path] = []
    for path in paths:
        with contextlib.suppress(OSError):
            inside = path.iterdir() if path.is_dir() else ()
            # Few are old enough for their process to be looked for.
            if all(one.lstat().st_mtime < oldest_s for one in (path, *inside)) and not is_at_work(path):
                found.append(path)
    return found


def is_at_work(path: Path) -> bool:
    """Whether the process that writes this runs: then it is in use, however old a clock that was set makes it look."""
    writer = _WRITER.search(path.name)
    return writer is not None and process.is_there(writer[1])
