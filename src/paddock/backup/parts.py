"""Owns what of a data home is in a backup, what is not and why; refuses to read any of it.

Each member of `paths.Home` stands in RULES, is the database, or stands in LEFT_OUT with a reason; a test holds this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from paddock.paths import Home

When = Literal["always", "secrets", "models", "recordings", "trainings"]
DATABASE = "database"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Files that are taken: of which member of the home, and when. `within` is for folders: what is taken of them.

    `within` has a pattern for each part of a name, between `/`; `**` at its end stands for one part or more.
    """

    member: str
    within: str = ""
    when: When = "always"


RULES = (
    Rule(member="config_file"),
    Rule(member="aliases"),
    Rule(member="model_settings"),
    Rule(member="templates", within="*"),
    Rule(member="remotes"),
    Rule(member="key_secret", when="secrets"),
    Rule(member="secrets_key", when="secrets"),
    Rule(member="certificate", when="secrets"),
    Rule(member="certificate_key", when="secrets"),
    Rule(member="models", within="*.pulled.json"),
    Rule(member="models", within="*.gguf", when="models"),
    Rule(member="jobs", within="job_*/*.json"),
    Rule(member="jobs", within="job_*/events.jsonl"),
    Rule(member="jobs", within="job_*/output.log"),
    Rule(member="jobs", within="job_*/model/**", when="trainings"),
    Rule(member="requests", within="**", when="recordings"),
)

LEFT_OUT = {
    "scanned": "is read anew from the models",
    "downloads": "is of what a download has fetched into the hub's cache, which is not here",
    "measured": "is of this machine, and measured anew",
    "clock": "is of this machine's clock",
    "slots": "is computed anew from the chats",
    "serving": "is a lock",
    "present": "is locks",
    "scratch": "is for the length of a request",
    "stack": "is installed anew by `paddock setup python-stack`",
    "engines": "is for this machine, and installed anew by `paddock engine install`",
    "restoring": "is what a restore has gathered",
    "replaced": "is what restores took the place of; copy it yourself if you want it",
}

# Names that a system reads otherwise than they are written, or keeps for itself.
_ODD = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
_LONGEST_BYTES = 255


def place_of(home: Home, member: str) -> Path:
    """Where a member of the home lies."""
    found: Path = getattr(home, member)
    return found


def rule_of(path: str) -> Rule | None:
    """The rule by which a file is taken, by its name in the home with `/`; None where none takes it."""
    home = Home(root=Path())
    for rule in RULES:
        base = place_of(home, rule.member).as_posix()
        if path == base and not rule.within:
            return rule
        if rule.within and path.startswith(f"{base}/") and _matches(path[len(base) + 1 :], rule.within):
            return rule
    return None


def fault_of(path: str) -> str:
    """Why a file of that name is neither taken nor put back, as the end of a sentence; "" where nothing is wrong."""
    parts = path.split("/")
    if any(part.startswith(".") or not part or _ODD.search(part) for part in parts):
        return "has a name that not every system can hold"
    if any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST_BYTES for part in parts) or not _is_text(path):
        return "has a name that not every system can hold"
    return "" if path == database_name() or rule_of(path) else "is nothing that a backup holds"


def database_name() -> str:
    """The database's name in a backup, wherever it lay."""
    return Home(root=Path()).database.as_posix()


def single_files(*, with_secrets: bool) -> tuple[str, ...]:
    """The names of the files that a backup speaks of even where they were not there."""
    home = Home(root=Path())
    taken = ("always", "secrets") if with_secrets else ("always",)
    return tuple(place_of(home, one.member).as_posix() for one in RULES if not one.within and one.when in taken)


def files_of(home: Home, taken: frozenset[When]) -> Iterator[tuple[str, Path]]:
    """The files that the rules of these kinds take, by their names in the home; the database is not among them."""
    for member in dict.fromkeys(rule.member for rule in RULES):
        place = place_of(home, member)
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in found:
            name = path.relative_to(home.root).as_posix()
            rule = rule_of(name)
            if rule and rule.when in taken and path.is_file() and not _is_passing(name):
                yield name, path


def _is_passing(name: str) -> bool:
    """Drafts and locks begin with a dot."""
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _matches(name: str, pattern: str) -> bool:
    names, patterns = name.split("/"), pattern.split("/")
    if patterns[-1] == "**":
        patterns = [*patterns[:-1], *["*"] * max(1, len(names) - len(patterns) + 1)]
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
