"""Restores a backup again and again, each time killed at a later moment, and tells what is left of it as JSON lines.

    python -m tests.fakes.killed_restore BACKUP HOME FOLDER

HOME is copied anew for each round into FOLDER. The process that restores kills itself as hard as can be at its n-th
change of the disk, which Python's audit events tell; the line says how it ended, what the home held then, what was said
by whoever came next, and what the home held after that. The last line is of a restore that came to its end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from paddock.backup import restoring, swap
from paddock.paths import Home
from paddock.store import copying

# Each of them changes the disk, or is about to.
_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")


def held(home: Path) -> dict[str, str]:
    """What lies in a home, by name; locks are nobody's."""
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def main(backup: Path, home: Path, folder: Path) -> None:
    # What is imported here, no round has to import.
    copying.revisions()
    number, is_over = 0, False
    while not is_over:
        number += 1
        there = Home(root=shutil.copytree(home, folder / str(number)))
        child = os.fork()
        if not child:
            _restore(there, backup, number)
        _, status = os.waitpid(child, 0)
        is_over = os.WIFEXITED(status)
        found, said = held(there.root), list[str]()
        if there.restoring.is_dir():
            swap.settle(there, said.append)
        told: dict[str, Any] = {"killed": not is_over, "status": status, "said": said, "before": found}
        print(json.dumps({**told, "after": held(there.root), "left": there.restoring.exists()}), flush=True)


def _restore(home: Home, backup: Path, last: int) -> None:
    count = 0

    def heard(event: str, _: object) -> None:
        nonlocal count
        if event in _CHANGES:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(heard)
    restoring.restore(home, backup, {}, agree=lambda _: True, advance=lambda _, __: None, trusts_settings=False)
    os._exit(0)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
