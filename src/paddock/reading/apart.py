"""Owns the process in which a file is read: started for one file, bounded in time and memory; knows no format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import anyio

from paddock.errors import FileUnreadable

Kind = Literal["chats", "document", "page", "parts"]
_PROGRAM = (sys.executable, "-P", "-m", "paddock.reading")
_WORDS_MOST = 4000


async def read(kind: Kind, source: Path, made: Path, *, timeout_s: float) -> dict[str, Any]:
    """Have `source` read into `made`, and what there is to know of it. Raises FileUnreadable.

    The process has a bound of its own for memory. One that takes too long, or ends without a word, is the file's fault.
    """
    words = [*_PROGRAM, kind, str(source), str(made)]
    try:
        with anyio.fail_after(timeout_s):
            done = await anyio.run_process(words, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except TimeoutError as error:
        raise FileUnreadable(f"It was not read within {timeout_s:g} s. Send a smaller part of it.") from error
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise FileUnreadable(
            "The process that read it ended without a word, as with a file that needs more memory than it may have. "
            "Send a smaller part of it."
        ) from error
    if sentence := told.get("fault"):
        raise FileUnreadable(str(sentence)[:_WORDS_MOST])
    return told
