"""Owns `paddock upgrade` and `paddock uninstall`: what is said and asked; refuses to know how that is done."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from paddock.cli import printing
from paddock.config import load
from paddock.errors import PaddockError, SetupFailed
from paddock.paths import Home, lock_of

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree beforehand to what is told.")]
_CONFIRMATION = "remove my data"


def upgrade(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="WHAT", help="A checkout, a wheel or a package; left out: as it was installed."),
    ] = None,
    roll_back: Annotated[bool, typer.Option("--roll-back", help="Use the version before this one again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Install a newer paddock beside this one, try it, and use it. This one is kept, and `--roll-back` returns to it.

    A paddock that is serving goes on with what it was started with, until it is started again.
    """
    from paddock.install import environment
    from paddock.install.prefix import Prefix

    prefix = Prefix.around(Path(sys.prefix))
    if roll_back:
        with prefix.alone():
            name = prefix.roll_back()
        record = prefix.record(name)
        print(f"paddock {record.version if record else name} is used from the next start on.")
        return
    record = prefix.record(Path(sys.prefix).name)
    # A version that was named once is not what is asked for now.
    meant = source or re.sub(r"==.*", "", record.source if record else "paddock")
    found = environment.Source.of(meant)
    printing.say("\n".join(environment.plan(found, prefix)))
    if dry_run:
        return
    if not yes and not printing.agrees("Do it? Type y to do it."):
        raise SetupFailed("Nothing was changed, since nobody agreed. Type y when asked, or say --yes.")
    made = environment.install(found, prefix, say=printing.say)
    print(f"paddock {made.version} is used from the next start on. `paddock upgrade --roll-back` returns.")


def uninstall(
    data: Annotated[
        bool, typer.Option("--data", help="Remove chats, settings, keys and imported models too, for good.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove the program, its command and its entry in the menu. Models, chats and settings stay, unless `--data`."""
    from paddock.install import launcher
    from paddock.install.prefix import Prefix

    if sys.platform == "win32":
        raise SetupFailed("Windows removes no program while it runs. Type: powershell -File setup.ps1 -Uninstall")
    prefix = Prefix.around(Path(sys.prefix))
    home = _home()
    outside = prefix.outside()
    printing.say("\n".join([f"Removes {prefix.root}", *(f"    and {path}" for path in outside.values())]))
    if data:
        _confirm_data(home)
    elif not yes and not printing.agrees("Do it? Type y to do it."):
        raise SetupFailed("Nothing was removed, since nobody agreed. Type y when asked, or say --yes.")
    with prefix.alone():
        for path in outside.values():
            if not launcher.remove(Path(path)):
                printing.say(f"{path} is not paddock's any more, and stays.")
        left = prefix.remove()
    if left:
        printing.say(f"Left in {prefix.root}, since setup did not make it: {', '.join(path.name for path in left)}.")
    if data:
        _remove_data(home)
    print("Paddock is removed." if data else f"Paddock is removed. Your data stays in {home.root}.")


def _home() -> Home:
    from paddock.paths import default_root

    try:
        return load().home
    except PaddockError:
        # Settings that cannot be read do not keep anyone from removing them.
        return Home(root=default_root())


def _confirm_data(home: Home) -> None:
    from paddock.ownership import holders

    if holders(home.present):
        raise SetupFailed("A paddock serves on this data home. Stop it first, and then remove its data.")
    names = ", ".join(path.name for path in belongings(home))
    printing.say(
        f"and from {home.root}, for good: {names or 'nothing'}.\n"
        "Models that were pulled lie in the Hugging Face cache, and stay there."
    )
    printing.say(f"Type: {_CONFIRMATION}")
    if sys.stdin.readline().strip() != _CONFIRMATION:
        raise SetupFailed("Nothing was removed: that was not what was to be typed.")


def belongings(home: Home) -> list[Path]:
    """What paddock made in the data home. Whatever else a person keeps there is not in it."""
    known = [
        value
        for name, described in vars(Home).items()
        if isinstance(described, property) and isinstance(value := getattr(home, name), Path)
    ]
    beside = [home.database.with_name(home.database.name + end) for end in ("-wal", "-shm", "-journal")]
    beside += [lock_of(path) for path in known]
    copies = home.root.glob(f"{home.database.name}.before-*")
    return sorted(path for path in {*known, *beside, *copies} if path.exists() and path != home.root)


def _remove_data(home: Home) -> None:
    for path in belongings(home):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    left = sorted(path.name for path in home.root.iterdir()) if home.root.is_dir() else []
    if left:
        printing.say(f"Left in {home.root}, since paddock did not make it: {', '.join(left)}.")
    elif home.root.is_dir():
        home.root.rmdir()
