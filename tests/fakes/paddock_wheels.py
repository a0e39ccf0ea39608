"""Wheels to install as if they were paddock: its real setup, a program of one line, and an engine's library of none."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "paddock"
# Where what setup runs of itself, before anything is installed, lies: what is in no room, and these.
ROOMS = ("errors", "install")


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel of these files, with a record of each."""
    about = f"{name}-{version}.dist-info"
    told = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in told.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**told, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel


def requirement(wheel: Path) -> str:
    """The line of a lock that names a wheel and its hash."""
    name, version = wheel.name.split("-")[:2]
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def write_engine(folder: Path) -> Path:
    """A package that brings the module which stands for the engine's library."""
    return write_wheel(folder, "enginelibrary", "1.0", {"xllamacpp.py": "", "enginelibrary.py": ""})


def write_paddock(folder: Path, version: str, lock: str, *, main: str = "", traces_lock: str = "") -> Path:
    """A paddock of a version, that needs what `lock` names, and for traces `traces_lock`.

    `main` is its program, if not the one that tells that.
    """
    setup = [path for room in ("", *ROOMS) for path in (SOURCES / room).glob("*.py")]
    files = {f"paddock/{path.relative_to(SOURCES).as_posix()}": path.read_text("utf-8") for path in setup}
    files["paddock/app.py"] = ""
    files["paddock/__main__.py"] = main or f'import sys; print("paddock", "{version}", *sys.argv[2:])\n'
    if lock:
        files["paddock/install/run.txt"] = lock
    if traces_lock:
        files["paddock/install/trace.txt"] = traces_lock
    return write_wheel(folder, "paddock", version, files)
