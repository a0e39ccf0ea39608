"""Owns the tables about the server's own tools, as SQLAlchemy sees them; refuses to query or change them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from paddock.store.tables import metadata

# Times are seconds since 1970. Without an account and a key it is whoever sits at the machine. `session` is the digest
# of a chat's id, or "" for what holds everywhere; `name` is a tool's or a group's.
tool_permissions = Table(
    "tool_permissions",
    metadata,
    Column("account_id", String(40), primary_key=True),
    Column("key_id", String(40), primary_key=True),
    Column("session", String(64), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("word", String(20), nullable=False),
    Column("decided_s", Float, nullable=False),
)

# `who` is a caller's name, `allowed` by what the call was let or not, `outcome` what became of it.
tool_calls = Table(
    "tool_calls",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_s", Float, nullable=False),
    Column("account_id", String(40), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("who", String(100), nullable=False),
    Column("session_id", String(200), nullable=False),
    Column("tool", String(200), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("allowed", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("duration_s", Float, nullable=False),
    Index("ix_tool_calls_account_id", "account_id", "id"),
    Index("ix_tool_calls_at_s", "at_s"),
)

# What goes with an account.
OF_ACCOUNT = (tool_permissions, tool_calls)
