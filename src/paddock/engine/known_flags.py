"""Owns which flags a build of llama-server knows, as its own `--help` lists them; refuses to choose any.

A build is asked once: what it said is kept in a file with the identity of the program that said it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from paddock.errors import EngineFailedToStart
from paddock.paths import write_whole
from paddock.process import environment

_HELP_TIMEOUT_S = 60.0
# The first column of a line of help: one spelling, or several with commas between.
_SPELLINGS = re.compile(r"^--?[A-Za-z][\w-]*(?:,\s+--?[A-Za-z][\w-]*)*", re.MULTILINE)
_LIBRARY_PATHS = {"linux": "LD_LIBRARY_PATH", "darwin": "DYLD_LIBRARY_PATH", "win32": "PATH"}


def known_flags(binary: Path, kept: Path) -> frozenset[str]:
    """Every spelling of every flag that the build knows.

    Args:
        binary: the build's `llama-server`.
        kept: the file where its answer is kept; a file that cannot be written costs one more question next time.

    Raises:
        EngineFailedToStart: it cannot be started, or lists nothing; with its last words.
    """
    identity = identity_of(binary)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        said = json.loads(kept.read_text("utf-8"))
        if said["identity"] == identity:
            return frozenset(map(str, said["flags"]))
    flags = parse_help(_ask(binary))
    with contextlib.suppress(OSError):
        write_whole(kept, json.dumps({"identity": identity, "flags": sorted(flags)}))
    return flags


def parse_help(text: str) -> frozenset[str]:
    """The flags in the text of `llama-server --help`."""
    return frozenset(flag for match in _SPELLINGS.finditer(text) for flag in re.split(r",\s+", match[0]))


def identity_of(binary: Path) -> list[int]:
    """What tells one file from another that took its place: size, time and number. To be moved does not change it."""
    try:
        found = binary.stat()
    except OSError as error:
        raise _failed(f"{binary.name} cannot be started: {error.strerror}") from error
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def environment_of(binary: Path) -> dict[str, str]:
    """The environment a build runs in: its own libraries first, no flag of someone else's, no secret."""
    kept = {name: value for name, value in environment().items() if not name.startswith(("LLAMA_", "AIP_"))}
    if variable := _LIBRARY_PATHS.get(sys.platform):
        kept[variable] = os.pathsep.join(filter(None, (str(binary.resolve().parent), kept.get(variable))))
    return kept


def _ask(binary: Path) -> str:
    try:
        asked = subprocess.run(
            [str(binary.absolute()), "--help"],
            env=environment_of(binary),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_HELP_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise _failed(f"{binary.name} cannot be started: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise _failed(f"{binary.name} --help did not end within {_HELP_TIMEOUT_S:g} s") from error
    if asked.returncode != 0 or "--model" not in asked.stdout:
        words = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
        raise _failed(f"{binary.name} --help ended with status {asked.returncode}: {words[0][:300]}")
    return asked.stdout


def _failed(words: str) -> EngineFailedToStart:
    return EngineFailedToStart(words, kind="missing-library")
