"""Owns the tables, as SQLAlchemy sees them; refuses to query or change them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# `body` is the response object and `items` the request's own input, both JSON. Times are seconds since 1970.
responses = Table(
    "responses",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("created_s", Float, nullable=False),
    Column("previous_id", String(80), nullable=True),
    Column("status", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("items", Text, nullable=False),
    Index("ix_responses_created_s", "created_s"),
)

# The events of a background response, as they would have been sent.
response_events = Table(
    "response_events",
    metadata,
    Column("response_id", String(80), ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("frame", LargeBinary, nullable=False),
)

# A key itself is never kept: `digest` is its keyed hash, `hint` its last characters.
keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(20), nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float, nullable=True),
    Column("revoked_s", Float, nullable=True),
    Column("last_used_s", Float, nullable=True),
    Column("is_recorded", Boolean, nullable=False, default=False),
)

# `sealed` is a nonce and a cipher text; what opens it lies in a file beside the database.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_s", Float, nullable=False),
)
