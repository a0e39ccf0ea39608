"""Owns the words of `setup.sh` and `setup.ps1`, `python -m paddock.install`; refuses to know how that is done.

It runs from a checkout's sources or from within a wheel, on a bare Python of 3.11 or newer.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from paddock.errors import PaddockError, SetupFailed
from paddock.install import launcher
from paddock.install.environment import Source, check_python, install, plan
from paddock.install.prefix import Prefix, default_place


def main(argv: Sequence[str]) -> int:
    """Install, upgrade or remove. Returns the exit status."""
    chosen = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        # A locale that lacks a letter of a path must not end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # As Ctrl+C does, so that an unfinished environment is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prefix = Prefix(_folder(chosen.prefix) or default_place())
    try:
        if chosen.uninstall:
            return _uninstall(prefix)
        return _install(prefix, chosen)
    except PaddockError as error:
        print(f"setup: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped. What was installed before is as it was; the same command goes on.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The options of setup, which all scripts hand over."""
    found = argparse.ArgumentParser(prog="setup.sh", description="Installs paddock for you alone, without any rights.")
    found.add_argument("--from", dest="source", metavar="WHAT", help="a checkout, a wheel, or a package's name")
    found.add_argument("--prefix", metavar="DIR", help=f"where to install (default: {default_place()})")
    found.add_argument("--bin", metavar="DIR", help=f"where to put the command (default: {launcher.default_bin()})")
    found.add_argument("--menu", action="store_true", help="also put an entry into the menu")
    found.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    found.add_argument("--uninstall", action="store_true", help="remove the program; models and chats stay")
    return found


def _install(prefix: Prefix, chosen: argparse.Namespace) -> int:
    if not chosen.source:
        raise SetupFailed("Name what is to be installed: --from CHECKOUT, --from WHEEL or --from PACKAGE.")
    source = Source.of(chosen.source)
    check_python()
    outside = prefix.outside()
    folder = _folder(chosen.bin) or (Path(outside["launcher"]).parent if "launcher" in outside else None)
    folder = folder or launcher.default_bin()
    for line in plan(source, prefix):
        _say(line)
    _say(f"Puts the command `paddock` into {folder}.")
    if chosen.dry_run:
        return 0
    record = install(source, prefix, say=_say)
    command = launcher.write_launcher(prefix.root, folder)
    prefix.note_outside({**outside, "launcher": str(command)})
    if chosen.menu:
        entry = launcher.write_menu(command, launcher.menu_file())
        prefix.note_outside({**outside, "launcher": str(command), "menu": str(entry)})
    _say(f"paddock {record.version} is installed. Type: paddock serve")
    if advice := launcher.path_advice(folder):
        _say(advice)
    elif other := launcher.is_shadowed(command):
        _say(f"The shell finds another paddock first: {other}")
    return 0


def _uninstall(prefix: Prefix) -> int:
    outside = prefix.outside()
    if not prefix.names() and not outside:
        raise SetupFailed(f"Nothing is installed in {prefix.root}. Name the place with --prefix.")
    with prefix.alone():
        for path in outside.values():
            if launcher.remove(Path(path)):
                _say(f"Removed {path}.")
        stays = prefix.remove()
    left = ", ".join(path.name for path in stays)
    _say(f"Left in {prefix.root}, since setup did not make it: {left}." if left else f"Removed {prefix.root}.")
    _say("Models, chats and settings are untouched.")
    return 0


def _folder(text: str | None) -> Path | None:
    return Path(os.path.abspath(os.path.expanduser(text))) if text else None


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
