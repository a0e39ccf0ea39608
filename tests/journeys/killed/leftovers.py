"""Owns what may lie in a data home after its server was killed, and what its database holds then; starts nothing."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import time
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import MetaData, create_engine, inspect, select
from sqlalchemy.engine import Connection

from paddock.protocol.chat_thread import text_of
from paddock.store.chat_tables import messages
from paddock.store.tables import metadata

# Whole files, each by its whole name within the home.
_LASTING = re.compile(
    r"paddock\.db(-wal|-shm)?|keys\.secret|config\.toml|(aliases|model-settings|measured|scanned|toolservers|toolservers-on)\.json|serving\.lock"
    r"|\.(config\.toml|(aliases|model-settings|toolservers)\.json)\.lock"
    r"|downloads/(dl_\w+\.json|\.owner\.lock)|models/([\w.-]+\.gguf|[\w.-]+\.certificate\.json|[\w.-]+\.pulled\.(json|unfinished))"
    r"|clock\.json|\.clock\.json\.lock|present/\d+\.lock"
    r"|requests/[\w-]+\.json\.gz|slots/[0-9a-f]{64}-\d+-[0-9a-f]{12}\.kv|engines/[\w.-]+\.json"
)
_WRITER = r"\d+-\d+"
# What was being written. Each start takes away what nobody has written to for an hour.
_PASSING = re.compile(
    rf"(.*/)?(\.[\w.-]+(?<!\.gguf)\.{_WRITER}-[0-9a-f]{{8}}\.draft|\.writable-\d+)|scratch/.*"
    rf"|slots/draft-{_WRITER}-[0-9a-f]{{32}}|models/[\w.-]+\.pulled\.leaving"
)
# A recording that was being written goes with the next ones, after an hour; an import with a start, after a day.
_BOUNDED = re.compile(rf"(requests/\.[\w-]+|models/\.[\w-]+\.gguf)\.{_WRITER}-[0-9a-f]{{8}}\.draft")
_LONG_AGO_S = 3600 * 2


def passing(home: Path) -> list[str]:
    """What is to be taken away by the next start."""
    return [name for name in _names(home) if _PASSING.fullmatch(name)]


def age(home: Path) -> None:
    """Let what was being written be old enough to be nobody's."""
    then_s = time.time() - _LONG_AGO_S
    for name in passing(home):
        os.utime(home / name, (then_s, then_s))
    for folder in [*home.glob("scratch/*")]:
        os.utime(folder, (then_s, then_s))


def faults_of(home: Path) -> list[str]:
    """Files of which nobody knows, and those that hold half of what they should."""
    faults: list[str] = []
    for name in _names(home):
        if not (_LASTING.fullmatch(name) or _PASSING.fullmatch(name) or _BOUNDED.fullmatch(name)):
            faults.append(f"{name} is a stranger")
        elif _LASTING.fullmatch(name):
            try:
                _read(home / name)
            except (ValueError, EOFError, OSError) as error:
                faults.append(f"{name} is not whole: {error}")
    return faults


def _names(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())


def _read(path: Path) -> None:
    if path.suffix in (".json", ".unfinished"):
        json.loads(path.read_bytes())
    elif path.suffix == ".gz":
        json.loads(gzip.decompress(path.read_bytes()))
    elif path.suffix == ".toml":
        tomllib.loads(path.read_text("utf-8"))
    elif path.suffix == ".secret" and path.stat().st_size != 32:
        raise ValueError(f"{path.stat().st_size} bytes")


@contextmanager
def database(home: Path, url: str) -> Generator[Connection]:
    """The database as the killed server left it; of a file, a copy, so that the next one mends it by itself."""
    copy = home.parent / "copy"
    if not url:
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("paddock.db", "paddock.db-wal"):
            if (home / name).exists():
                shutil.copy(home / name, copy)
    engine = create_engine(url.replace("postgresql:", "postgresql+pg8000:") or f"sqlite:///{copy}/paddock.db")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def damage(connection: Connection) -> list[str]:
    """What is wrong with a database: its pages, its references, its JSON."""
    faults: list[str] = []
    if connection.dialect.name == "sqlite":
        for check in ("integrity_check", "foreign_key_check"):
            rows = connection.exec_driver_sql(f"PRAGMA {check}").all()
            faults += [f"{check}: {row}" for row in rows if tuple(row) != ("ok",)]
    there = MetaData()
    there.reflect(connection, only=lambda name, _: name in metadata.tables)
    held = {("responses", "body"), ("responses", "items"), ("chat_messages", "content"), ("chat_messages", "base")}
    for table in there.sorted_tables:
        for row in connection.execute(select(table)).mappings():
            for column in row:
                if (table.name, column) in held:
                    try:
                        json.loads(row[column])
                    except ValueError as error:
                        faults.append(f"{table.name}.{column}: {error}")
    return faults


def answers_in(connection: Connection) -> dict[str, tuple[str, str]]:
    """The status and the text of each answer, by its id."""
    if not inspect(connection).has_table(messages.name):
        return {}
    wanted = select(messages.c.id, messages.c.status, messages.c.content).where(messages.c.role == "assistant")
    return {row[0]: (row[1], text_of(json.loads(row[2]))) for row in connection.execute(wanted)}
