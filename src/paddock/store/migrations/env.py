"""Owns how Alembic runs a migration: on the connection that `store/db.py` hands it."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

from paddock.store import chat_tables

# Whose tables come last: of all of them the metadata tells.
from paddock.store.tool_tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=chat_tables.is_table_of_ours,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
