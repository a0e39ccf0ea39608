"""Owns what an installation puts outside of its place: the command `paddock`, an entry in the menu; starts nothing.

Both name the place, not an environment: which one is used is read at each start, so that an upgrade changes neither.
Python's standard library alone.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from paddock.errors import SetupFailed
from paddock.paths import write_whole

# By this a launcher is known as one of ours, and may be replaced and removed.
MARK = "paddock-launcher"
_WINDOWS = os.name == "nt"

# A shell's quotes hold any path; the name that is read is held to letters that need none.
_SH = """#!/bin/sh
# {mark}: written by paddock's setup, removed by `paddock uninstall`.
place={place}
name=
if [ -r "$place/current" ]; then read -r name < "$place/current"; fi
python="$place/$name/bin/python"
if [ -z "$name" ] || [ ! -x "$python" ]; then
    echo "paddock: the installation in $place is not whole, cannot be read, or its Python is gone." >&2
    echo "Run setup.sh again." >&2
    exit 1
fi
exec "$python" -P -m paddock "$@"
"""
_CMD = """@echo off\r
rem {mark}: written by paddock's setup, removed by its uninstall.\r
setlocal\r
set "PADDOCK_NAME="\r
if exist "{place}\\current" set /p PADDOCK_NAME=<"{place}\\current"\r
if not exist "{place}\\%PADDOCK_NAME%\\Scripts\\python.exe" (\r
  echo paddock: the installation is not whole, or its Python is gone. Run setup.ps1 again. 1>&2\r
  exit /b 1\r
)\r
"{place}\\%PADDOCK_NAME%\\Scripts\\python.exe" -P -m paddock %*\r
exit /b %ERRORLEVEL%\r
"""
_DESKTOP = """[Desktop Entry]
Type=Application
Name=Paddock
Comment=Language models on this machine
Exec={command} serve
Terminal=true
Categories=Development;Science;
X-Paddock={mark}
"""


def default_bin(environ: Mapping[str, str] | None = None, system: str = sys.platform) -> Path:
    """The folder of a person's own commands."""
    known = os.environ if environ is None else environ
    home = Path(known.get("HOME") or Path.home())
    if system == "win32":
        return Path(known.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Programs" / "paddock"
    return home / ".local" / "bin"


def menu_file(environ: Mapping[str, str] | None = None, system: str = sys.platform) -> Path:
    """Where an entry in the menu is a file."""
    known = os.environ if environ is None else environ
    home = Path(known.get("HOME") or Path.home())
    if system == "win32":
        roaming = Path(known.get("APPDATA") or home / "AppData" / "Roaming")
        return roaming / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "Paddock.cmd"
    if system == "darwin":
        return home / "Applications" / "Paddock.command"
    return (
        Path(known.get("XDG_DATA_HOME", "").strip() or home / ".local" / "share") / "applications" / "paddock.desktop"
    )


def write_launcher(place: Path, folder: Path) -> Path:
    """Put the command into a folder. Raises SetupFailed where another file has its name, or it cannot be written."""
    path = folder / ("paddock.cmd" if _WINDOWS else "paddock")
    text = _CMD.format(mark=MARK, place=place) if _WINDOWS else _SH.format(mark=MARK, place=quoted(str(place)))
    return _write(path, text, "Choose another folder for the command with --bin, or remove that file.")


def write_menu(launcher: Path, path: Path) -> Path:
    """Put an entry into the menu. Raises SetupFailed."""
    if path.suffix == ".desktop":
        text = _DESKTOP.format(mark=MARK, command=quoted_for_desktop(str(launcher)))
    elif path.suffix == ".command":
        text = f"#!/bin/sh\n# {MARK}\nexec {quoted(str(launcher))} serve\n"
    else:
        text = f'@rem {MARK}\r\n@"{launcher}" serve\r\n'
    return _write(path, text, "Remove that file, or do without --menu.")


def remove(path: Path) -> bool:
    """Remove a file if it is one of ours; whether it is gone."""
    if _is_ours(path):
        path.unlink(missing_ok=True)
    return not path.exists()


def path_advice(folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """What to type where the folder of the command is not searched; "" where it is."""
    known = os.environ if environ is None else environ
    if str(folder) in known.get("PATH", "").split(os.pathsep):
        return ""
    if _WINDOWS:
        return f"{folder} is not in PATH: add it under Settings, Environment variables."
    return f'{folder} is not in PATH. For this shell: export PATH={quoted(str(folder))}:"$PATH"'


def is_shadowed(launcher: Path) -> str:
    """Another `paddock` that the shell would find first; "" where there is none."""
    found = shutil.which("paddock")
    return found if found and Path(found).resolve() != launcher.resolve() else ""


def quoted(text: str) -> str:
    """A text as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def quoted_for_desktop(text: str) -> str:
    """A text as one word of an Exec line: quoted by that file's own rules, which escape twice; `%` is doubled."""
    inner = re.sub(r'([\\"`$])', r"\\\1", text)
    return '"' + inner.replace("\\", "\\\\").replace("%", "%%") + '"'


def _is_ours(path: Path) -> bool:
    try:
        return MARK in path.read_text("utf-8", errors="replace")[:4000]
    except OSError:
        return False


def _write(path: Path, text: str, advice: str) -> Path:
    if (path.exists() or path.is_symlink()) and not _is_ours(path):
        raise SetupFailed(f"{path} is there already and is not paddock's. {advice}")
    try:
        write_whole(path, text)
        path.chmod(0o755)
    except OSError as error:
        raise SetupFailed(f"{path} cannot be written ({error.strerror or error}). {advice}") from error
    return path
