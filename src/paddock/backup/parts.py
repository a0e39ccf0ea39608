"""Owns what of a data home is in a backup, what is not and why; refuses to read any of it.

Each member of `paths.Home` stands in RULES, is the database, or stands in LEFT_OUT with a reason; a test holds this.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from paddock.paths import Home

When = Literal["always", "secrets", "models", "recordings", "trainings"]
DATABASE = "database"
# Settings that are longer are not restored.
CONFIG_MOST_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Files that are taken: of which member of the home, and when. `within` is for folders: what is taken of them.

    `within` has a pattern for each part of a name, between `/`; `**` at its end stands for one part or more.
    """

    member: str
    within: str = ""
    when: When = "always"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that a rule takes and a backup cannot hold: its name as it can be shown, and `why` as what follows it."""

    path: str
    why: str


RULES = (
    Rule(member="config_file"),
    Rule(member="aliases"),
    Rule(member="model_settings"),
    Rule(member="templates", within="*"),
    Rule(member="remotes"),
    Rule(member="toolservers"),
    Rule(member="key_secret", when="secrets"),
    Rule(member="secrets_key", when="secrets"),
    Rule(member="certificate", when="secrets"),
    Rule(member="certificate_key", when="secrets"),
    Rule(member="models", within="*.pulled.json"),
    Rule(member="models", within="*.gguf", when="models"),
    Rule(member="models", within="*.certificate.json", when="models"),
    Rule(member="jobs", within="job_*/*.json"),
    Rule(member="jobs", within="job_*/events.jsonl"),
    Rule(member="jobs", within="job_*/output.log"),
    Rule(member="jobs", within="job_*/files/*.certificate.json"),
    Rule(member="jobs", within="job_*/model/**", when="trainings"),
    Rule(member="requests", within="**", when="recordings"),
)

LEFT_OUT = {
    "scanned": "is read anew from the models",
    "downloads": "is of what a download has fetched into the hub's cache, which is not here",
    "measured": "is of this machine, and measured anew",
    "toolservers_on": "is a person's word that programs may run on this machine",
    "clock": "is of this machine's clock",
    "slots": "is computed anew from the chats",
    "serving": "is a lock",
    "present": "is locks",
    "scratch": "is for the length of a request",
    "workspaces": "is what tools are at work on, for a week",
    "stack": "is installed anew by `paddock setup python-stack`",
    "trackers": "is installed anew by the command that a training names",
    "tracked": "is the trackers' own; what a training told is in the backup",
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


def files_of(home: Home, taken: frozenset[When]) -> tuple[list[tuple[str, Path]], list[LeftOut]]:
    """The files that the rules of these kinds take, by their names in the home, and those that cannot be had.

    The database is not among them. Raises OSError.
    """
    files: list[tuple[str, Path]] = []
    left_out: list[LeftOut] = []
    for member in dict.fromkeys(rule.member for rule in RULES):
        place = place_of(home, member)
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            name = path.relative_to(home.root).as_posix()
            if _is_passing(name) or not _is_wanted(path, name, taken):
                continue
            if why := _hindrance(path, name, place):
                left_out.append(LeftOut(path=os.fsencode(name).decode("utf-8", "backslashreplace"), why=why))
            elif path.is_file():
                files.append((name, path))
    return files, left_out


def _is_wanted(path: Path, name: str, taken: frozenset[When]) -> bool:
    """Whether a rule takes it, or what would lie in it were it not a link."""
    rule = rule_of(name)
    if rule and rule.when in taken and not path.is_dir():
        return True
    return path.is_symlink() and path.is_dir() and any(_is_above(name, one) for one in RULES if one.when in taken)


def _hindrance(path: Path, name: str, place: Path) -> str:
    """Why a file that is wanted cannot be had, "" where it can.

    Whoever writes into the home, such as a training, could by a link in a folder have what is nobody's business taken.
    Links to models are made by importing them, and those in the place of a single file by the home's owner.
    """
    if path.is_symlink() and path != place:
        rule = rule_of(name)
        if not path.exists():
            return "is a link to what is not there"
        if path.is_dir():
            return "is a link to a folder"
        if not (rule and rule.when == "models") and not path.resolve().is_relative_to(place.resolve()):
            return "is a link that leads out of its folder"
    return fault_of(name)


def _is_above(name: str, rule: Rule) -> bool:
    """Whether the rule takes files of a folder of that name, or deeper ones."""
    base = place_of(Home(root=Path()), rule.member).as_posix()
    if not rule.within or not name.startswith(f"{base}/"):
        return False
    names, patterns = name[len(base) + 1 :].split("/"), rule.within.split("/")
    is_deeper = len(names) < len(patterns) or patterns[-1] == "**"
    return is_deeper and all(fnmatchcase(*pair) for pair in zip(names, patterns, strict=False))


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
