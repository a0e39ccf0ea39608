"""Owns bringing a database to the tables of a revision, and telling what those are; refuses to open one.

What a database is made of is told as SQLite keeps it: the statement that made each table, index, trigger and view.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_MIGRATIONS = Path(__file__).parent / "migrations"
# Of all that there is; what SQLite makes by itself for a table has no statement.
ASKED = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
# By its kind and its name, the statement that made it.
Shape = Mapping[tuple[str, str], str]
_BLANKS, _MARKS = re.compile(r"[ \t\r\n\f]+"), re.compile(r" ?([(),]) ?")


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring a database to the tables of a revision. Raises what the libraries raise."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two paddocks that start at once take turns.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(864286428642)")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def shape_of(rows: Iterable[tuple[object, ...]]) -> Shape:
    """What ASKED tells, however it is laid out."""
    return {(str(kind), str(name)): _MARKS.sub(r"\1", _BLANKS.sub(" ", str(made))) for kind, name, made in rows}


def shape_at(revision: str | None) -> Shape:
    """What a SQLite database of a revision is made of; of nothing before the first."""
    from sqlalchemy import create_engine

    if revision is None:
        return {}
    engine = create_engine("sqlite://")
    try:
        upgrade(engine, revision)
        with engine.connect() as connection:
            return shape_of(tuple(row) for row in connection.exec_driver_sql(ASKED))
    finally:
        engine.dispose()
