"""Owns the files of 32 random bytes that lie beside the database: made at their first need, for their owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from paddock.errors import HomeUnusable
from paddock.paths import draft_of, names_on_disk, on_disk

_BYTES = 32


def key_in(path: Path, what: str, remedy: str) -> bytes:
    """The key in a file of the data home. `what` names it in an error, `remedy` is the next step where it is damaged.

    Raises HomeUnusable.
    """
    draft = draft_of(path)
    try:
        if not path.exists():
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
                on_disk(file)
            try:
                # Of two that make one at once, the first one's stays.
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
            # What it seals or hashes may be on the disk before its name is, and is worth nothing without it.
            names_on_disk(path.parent)
        key = path.read_bytes()
    except OSError as error:
        raise HomeUnusable(f"{what} in {path.parent} cannot be used ({error.strerror}).") from error
    if len(key) != _BYTES:
        raise HomeUnusable(f"{what}, {path.name}, is damaged. {remedy}")
    return key
