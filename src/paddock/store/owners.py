"""Owns whose rows a caller sees: its own and no others; paddock itself sees all. Every statement on them asks here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.caller import MACHINE, current
from paddock.errors import Conflict, shown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.engine import Connection


def owner() -> str:
    """Whose a row is that is made now."""
    return current().owner or MACHINE


def mine(table: Table) -> ColumnElement[bool]:
    """The condition that a row of this table is the caller's."""
    from sqlalchemy import true

    found = current().owner
    return true() if found is None else table.c.owner == found


def refuse_taken(connection: Connection, table: Table, row_id: str, what: str) -> None:
    """Raises Conflict where another owner's row has that id; nothing of it is told."""
    from sqlalchemy import not_, select

    there = select(table.c.id).where(table.c.id == row_id, not_(mine(table)))
    if connection.execute(there).first() is not None:
        raise Conflict(f"There is a {what} {shown(row_id)} already. Choose another id.", current={})
