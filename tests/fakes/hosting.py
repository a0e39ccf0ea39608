"""Has one server of tools run until it is killed: `hosting.py HOME PROGRAM NOTES`; says `there` once it is ready."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from paddock.paths import Home
from paddock.store.db import Database
from paddock.toolservers.host import Host, running
from paddock.toolservers.records import Record


async def main(folder: str, program: str, notes: str) -> None:
    """Have it run."""
    home = Home(root=Path(folder))
    home.ensure()
    host = Host(home, Database("", home))
    record = Record(name="fake", command=sys.executable, arguments=(program, "stubborn"))
    host.add([(record, {"FAKE_NOTES": notes})])
    host.turn("fake", on=True)
    async with running(host):
        await host.settle()
        sys.stdout.write("there\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
