"""Owns how a process is told from every other that this host ever ran, whether it still runs, what one is handed on."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_NAME = re.compile(r"(?P<pid>\d+)-(?P<begun>\d+)")


# What opens the database, a hub or a paddock: programs that compute need none of it, and show their environment.
SECRETS = ("PADDOCK_DATABASE_URL", "PADDOCK_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def environment() -> dict[str, str]:
    """This process's own environment without its secrets, for a program that needs none."""
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def this() -> str:
    """This process: its number, and when it began. Other processes get that number later; in a container, at once."""
    return _named(os.getpid())


def is_there(name: str) -> bool:
    """Whether the process that `this` named so, on this host, still runs; one that cannot be looked at does."""
    import psutil

    named = _NAME.fullmatch(name)
    if named is None:
        return False
    try:
        found = psutil.Process(int(named["pid"]))
        # Its parent may never take note that it has ended, as in many a container.
        return found.status() != psutil.STATUS_ZOMBIE and _begun(found) == int(named["begun"])
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


@cache
def _named(pid: int) -> str:
    try:
        import psutil
    except ImportError:
        # An environment that holds less than paddock's own: what it writes goes by its age alone.
        return f"{pid}-0"
    return f"{pid}-{_begun(psutil.Process(pid))}"


def _begun(process: psutil.Process) -> int:
    """In hundredths of a second since the machine began: both of these move with the system's clock."""
    import psutil

    return round((process.create_time() - psutil.boot_time()) * 100)
