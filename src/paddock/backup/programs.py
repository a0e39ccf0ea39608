"""Owns which settings of a backup name a program to be run, and leaving them out; refuses to know what they do.

Who restores a backup has agreed to its chats and settings, and not to running what somebody else may have named in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from paddock.config import in_file, names_program
from paddock.errors import SettingInvalid
from paddock.paths import Home

# Paddock's own engine.
_HARMLESS = ("", "embedded")


def withheld(text: str, home: Home) -> Mapping[str, str]:
    """What settings of a backup would newly have run here, by their names; `text` is its `config.toml`."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # Paddock does not start with it, and tells of it.
        return {}
    try:
        here = in_file(home)
    except SettingInvalid:
        here = {}
    found = {name: value for name, value in told.items() if names_program(name) and value not in _HARMLESS}
    return {name: str(value) for name, value in found.items() if value != here.get(name)}


def leave_out(config_file: Path, names: Iterable[str]) -> None:
    """Take settings out of a file in which they stand; all else in it stays, comments too. Raises OSError."""
    import tomlkit

    document = tomlkit.parse(config_file.read_bytes().decode("utf-8", "replace"))
    for name in names:
        del document[name]
    config_file.write_bytes(tomlkit.dumps(document).encode())
