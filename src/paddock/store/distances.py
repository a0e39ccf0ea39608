"""Owns how far two vectors are apart, within SQLite: by sqlite-vec where it can be loaded, else by Python.

Both are `vec_distance_cosine(one, other)` of two blobs of floats of 32 bits; only the time that they take differs. A
Python whose `sqlite3` cannot load extensions is helped on Linux by SQLite's own `sqlite3_auto_extension`, which takes
hold while one of our connections is opened. Refuses to know what vectors are of.
"""

from __future__ import annotations

import ctypes
import math
import sqlite3
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from operator import mul
from pathlib import Path
from typing import Any

_lock = threading.Lock()
_FLOAT_BYTES = 4


def connected(*args: Any, **parameters: Any) -> sqlite3.Connection:
    """A connection that knows `vec_distance_cosine`. Raises what `sqlite3.connect` raises."""
    with _added_by_sqlite():
        connection = sqlite3.connect(*args, **parameters)
    if not (knows(connection) or _loaded(connection)):
        connection.create_function("vec_distance_cosine", 2, distance, deterministic=True)
    return connection


def knows(connection: sqlite3.Connection) -> bool:
    """Whether sqlite-vec is loaded into a connection."""
    try:
        return bool(connection.execute("SELECT vec_version()").fetchone())
    except sqlite3.Error:
        return False


def distance(one: bytes, other: bytes) -> float | None:
    """1 minus the cosine of the angle between two vectors; None where there is no angle."""
    if len(one) != len(other) or len(one) % _FLOAT_BYTES:
        return None
    first, second = memoryview(one).cast("f"), memoryview(other).cast("f")
    lengths = math.sqrt(sum(map(mul, first, first)) * sum(map(mul, second, second)))
    return 1 - sum(map(mul, first, second)) / lengths if lengths > 0 else None


def _loaded(connection: sqlite3.Connection) -> bool:
    """Load sqlite-vec by the way that Python has for it; whether that could be done."""
    if not hasattr(connection, "enable_load_extension") or _library() is None:
        return False
    try:
        connection.enable_load_extension(True)
        try:
            connection.load_extension(str(_library()))
        finally:
            connection.enable_load_extension(False)
    except sqlite3.Error:
        return False
    return True


@contextmanager
def _added_by_sqlite() -> Generator[None]:
    """Have SQLite itself add sqlite-vec to what is opened in the block, where Python has no way of its own."""
    entry = _entry()
    if entry is None:
        yield
        return
    sqlite, begins = entry
    with _lock:
        sqlite.sqlite3_auto_extension(begins)
        try:
            yield
        finally:
            sqlite.sqlite3_cancel_auto_extension(begins)


@cache
def _entry() -> tuple[ctypes.CDLL, ctypes.c_void_p] | None:
    """SQLite's library, as Python's module holds it, and where sqlite-vec begins; None where they are not needed."""
    library = _library()
    if library is None or sys.platform != "linux" or hasattr(sqlite3.Connection, "enable_load_extension"):
        return None
    try:
        import _sqlite3

        sqlite = ctypes.CDLL(_sqlite3.__file__)
        begins = ctypes.cast(ctypes.CDLL(str(library)).sqlite3_vec_init, ctypes.c_void_p)
        sqlite.sqlite3_compileoption_used.argtypes = [ctypes.c_char_p]
        if sqlite.sqlite3_compileoption_used(b"OMIT_LOAD_EXTENSION"):
            # It would hand an extension no table of its functions, and that would bring the process down.
            return None
        sqlite.sqlite3_auto_extension.argtypes = [ctypes.c_void_p]
        sqlite.sqlite3_cancel_auto_extension.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError, ImportError):
        # Built into Python's module, or into Python, where nothing outside can find it; or it does not tell how.
        return None
    return sqlite, begins


@cache
def _library() -> Path | None:
    """The file of sqlite-vec; None where there is none for this machine."""
    try:
        import sqlite_vec
    except ImportError:
        return None
    found = Path(sqlite_vec.loadable_path())
    return next((one for one in found.parent.glob(f"{found.name}.*") if one.suffix in (".so", ".dylib", ".dll")), None)
