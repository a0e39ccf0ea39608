"""Owns the reading of how an engine ended; refuses to decide what happens next. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ExitKind = Literal[
    "runaway", "out-of-memory", "missing-library", "bad-template", "bad-file", "unknown-flag", "killed", "crashed",
    "silent", "ended",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How an engine ended: the kind, a sentence with the next step, and the engine's own last words."""

    kind: ExitKind
    sentence: str
    last_words: str

    @property
    def message(self) -> str:
        """The sentence, and the engine's words where it left any."""
        return f"{self.sentence} The engine said: {self.last_words}" if self.last_words else self.sentence


_SENTENCES: dict[ExitKind, str] = {
    "runaway": "The engine ran away, and was ended.",
    "out-of-memory": "The engine ran out of memory. Choose a smaller model or a smaller --ctx.",
    "missing-library": "The engine, or a library that it needs, is missing. Run `paddock doctor`: it says which.",
    "bad-template": (
        "The engine cannot use the model's chat template. Set another: `paddock models set MODEL chat_template=FILE`."
    ),
    "bad-file": "The engine could not read the model file. Download or import it again.",
    "unknown-flag": "This engine does not know one of its flags. Update paddock, so that both fit together.",
    "killed": "The engine was ended from outside. If memory was short, choose a smaller model or --ctx.",
    "crashed": "The engine crashed. It is started again by the next request; if it repeats, report the words below.",
    "silent": "The engine did not become ready in time. Choose a smaller model, or raise load_timeout_s.",
    "ended": "The engine ended before it was asked to. It is started again by the next request.",
}

# Looked for in the last lines of stderr, most telling first.
_SIGNS: tuple[tuple[ExitKind, re.Pattern[str]], ...] = (
    (
        "missing-library",
        re.compile(r"cannot open shared object file|cannot be (?:loaded|started)|DLL load failed", re.I),
    ),
    (
        "out-of-memory",
        re.compile(
            r"out of memory|failed to allocate|cannot allocate memory|bad_alloc|unable to allocate|MemoryError", re.I
        ),
    ),
    ("unknown-flag", re.compile(r"unrecognized arguments|unknown argument|invalid argument:", re.I)),
    ("bad-template", re.compile(r"chat template parsing error|failed to initialize chat template", re.I)),
    (
        "bad-file",
        re.compile(r"error loading model|failed to load model|invalid magic|corrupted or incomplete|gguf_init", re.I),
    ),
)
_TELLING = re.compile(r"\bE\b|error|fail|abort|assert|terminate|cannot|unable", re.I)
# Advice to those who start it by hand, and lines that say that there was something without saying what.
_EMPTY = re.compile(
    r"please consider|for example: --|exiting due to|failed to initialize chat template|: std::exception$", re.I
)
# File names are the user's business; where they lie is not the API caller's. Within quotes a folder may hold spaces.
_FOLDERS = re.compile(
    r"""(?<=['"])(?:[A-Za-z]:)?[/\\](?:[^'"/\\]+[/\\])*(?=[^'"/\\]+['"])"""
    r"""|(?<![^\s'"(=])(?:[A-Za-z]:)?(?:[/\\][^\s'"/\\:]+)+[/\\](?=[^\s'"/\\]+)"""
)
_LOG_STAMP = re.compile(r"^\d+(?:\.\d+)+ [A-Z] ")


def classify(*, returncode: int | None, stderr: Sequence[str], reported: str | None = None) -> Exit:
    """Why an engine ended.

    Args:
        returncode: the exit status, negative for a signal; None when it was still running but silent.
        stderr: the last lines the engine printed.
        reported: the message of its `failed` line, if it wrote one.

    Covers exit statuses, signals and the engine's wording for memory, libraries, flags and files. It does not cover
    a machine that is swapping, nor faults that a driver reports elsewhere.
    """
    text = "\n".join([*stderr, reported or ""])
    signs: list[ExitKind] = [kind for kind, sign in _SIGNS if sign.search(text)]
    kind = signs[0] if signs else _by_status(returncode)
    return Exit(kind=kind, sentence=_SENTENCES[kind], last_words=last_words(stderr, reported))


def runaway(reason: str) -> Exit:
    """The end of an engine that paddock ended for what it did; `reason` says what."""
    return Exit(kind="runaway", sentence=f"{_SENTENCES['runaway']} {reason}", last_words="")


def _by_status(returncode: int | None) -> ExitKind:
    if returncode is None:
        return "silent"
    if returncode in (-signal.SIGKILL, -signal.SIGTERM, 137, 143):
        return "killed"
    if returncode == 2:
        return "unknown-flag"
    return "crashed" if returncode < 0 or returncode > 2 else "ended"


def last_words(stderr: Sequence[str], reported: str | None = None, *, limit_characters: int = 300) -> str:
    """The most telling of the last lines, without time stamps and folders, at most `limit_characters` long."""
    telling = [line for line in stderr if _TELLING.search(line)]
    full = [line for line in telling if not _EMPTY.search(line)]
    lines = full or telling or list(stderr) or ([reported] if reported else [])
    words = " | ".join(_LOG_STAMP.sub("", line.strip()) for line in lines[-2:] if line.strip())
    return _FOLDERS.sub("", words)[:limit_characters]
