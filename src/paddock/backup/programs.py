"""Owns what of a backup's settings is taken: none that names a program to be run; refuses to know what those do.

Who restores a backup has agreed to its chats and settings, and not to running what somebody else may have named in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from paddock.config import in_file, names_program, parsed
from paddock.errors import SettingInvalid
from paddock.paths import Home
from paddock.values import Value

# Paddock's own engine.
_HARMLESS = ("", "embedded")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What is taken of a backup's `config.toml`.

    `data` is what it becomes; None where nothing of it is taken, for what `unread` says. `withheld` are the settings
    that were taken out, and `database_url` the address of the database that then counts.
    """

    data: bytes | None
    database_url: str
    withheld: Mapping[str, str] = field(default_factory=dict[str, str])
    unread: str = ""


def all_of(data: bytes) -> Taken:
    """All of it, whatever it holds."""
    try:
        url = _url_of(parsed(data))
    except ValueError:
        # It was like that when it was copied; paddock tells of it when it starts.
        url = ""
    return Taken(data=data, database_url=url)


def harmless(data: bytes, home: Home) -> Taken:
    """It without what would newly be run here. What cannot be read could name anything once somebody mends it."""
    try:
        here = in_file(home)
    except SettingInvalid:
        here = dict[str, Value]()
    try:
        told = parsed(data)
        names = [
            name
            for name, value in told.items()
            if names_program(name) and value not in _HARMLESS and value != here.get(name)
        ]
        kept = _without(data, names) if names else data
        if set(parsed(kept)) != set(told) - set(names):
            raise ValueError("what names programs cannot be taken out of it")
    except ValueError as error:
        return Taken(data=None, database_url=_url_of(here), unread=str(error))
    return Taken(data=kept, database_url=_url_of(told), withheld={name: str(told[name]) for name in names})


def _url_of(settings: Mapping[str, object]) -> str:
    return str(settings.get("database_url", ""))


def _without(data: bytes, names: Iterable[str]) -> bytes:
    """Settings taken out of a file in which they stand; all else in it stays, comments too. Raises ValueError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(data.decode("utf-8"))
        for name in names:
            del document[name]
        return tomlkit.dumps(document).encode()
    except (TOMLKitError, RecursionError) as error:
        raise ValueError("what names programs cannot be taken out of it") from error
