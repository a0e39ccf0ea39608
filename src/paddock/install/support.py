"""Owns what is known of paddock by platform and feature: run there, decided over tables, or written and never run.

Refuses to know what else a machine has. `docs/support.md` is written of it, and the doctor tells what holds here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from paddock.install.host import Host

Kind = Literal["tested", "table", "written"]
_FILE = Path(__file__).with_name("support.toml")
WORDS: dict[Kind, str] = {"tested": "tested", "table": "table-tested", "written": "written, never run"}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of one feature on one platform; `command` shows it, and was run on `run_on`, if it was."""

    kind: Kind = "written"
    command: str = ""
    run_on: date | None = None

    @property
    def is_experimental(self) -> bool:
        """Whether nobody has run it, nor decided it over a table."""
        return self.kind == "written"

    @property
    def told(self) -> str:
        """In words."""
        more = [f"`{self.command}`"] if self.command else []
        more += [self.run_on.isoformat()] if self.run_on else []
        return WORDS[self.kind] + (f" ({', '.join(more)})" if more else "")


@dataclass(frozen=True, kw_only=True)
class Support:
    """Platforms and features by their keys, in the order of the page."""

    platforms: dict[str, str]
    features: dict[str, str]
    cells: dict[tuple[str, str], Known]

    def of(self, platform: str, feature: str) -> Known:
        """What is known; what nobody wrote down was never run."""
        return self.cells.get((platform, feature), Known())

    def untried(self, platform: str) -> list[str]:
        """The keys of the features that are experimental on a platform."""
        return [feature for feature in self.features if self.of(platform, feature).is_experimental]


@cache
def known() -> Support:
    """The table, read once."""
    said: dict[str, Any] = tomllib.loads(_FILE.read_text("utf-8"))
    cells = {
        (one["platform"], one["feature"]): Known(kind=one["kind"], command=one["command"], run_on=one.get("date"))
        for one in said["known"]
    }
    return Support(platforms=said["platforms"], features=said["features"], cells=cells)


def platform_of(host: Host) -> str:
    """The key of a machine's platform; one that is in no table is a platform all the same."""
    return "linux-musl" if host.libc == "musl" else f"{host.system}-{host.processor}"
