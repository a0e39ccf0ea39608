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

# `password` is an Argon2 hash in its usual form; None until its owner has chosen one.
accounts = Table(
    "accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("password", String(200), nullable=True),
    Column("created_s", Float, nullable=False),
    Column("disabled_s", Float, nullable=True),
    Column("seen_s", Float, nullable=True),
)

# Who is signed in where. `digest` is the keyed hash of what the browser holds.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_s", Float, nullable=False),
    Column("seen_s", Float, nullable=False),
    Column("address", String(64), nullable=False),
    Column("program", String(200), nullable=False),
    Index("ix_sessions_account_id", "account_id"),
)

# Links by which a password is chosen, once.
links = Table(
    "account_links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("expires_s", Float, nullable=False),
    Index("ix_account_links_account_id", "account_id"),
)

# What was done that its owner may want to know later. `who` is a caller's name.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_s", Float, nullable=False),
    Column("who", String(100), nullable=False),
    Column("address", String(64), nullable=False),
    Column("deed", String(40), nullable=False),
    Column("about", String(400), nullable=False),
    Index("ix_audit_at_s", "at_s"),
)

# A key itself is never kept: `digest` is its keyed hash, `hint` its last characters. `rights`, `models` and `paths` are
# lists in JSON; no rights at all are those of keys that are older than rights. A limit that is 0 is none.
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
    Column("account_id", String(40), nullable=True),
    Column("rights", Text, nullable=True),
    Column("models", Text, nullable=True),
    Column("paths", Text, nullable=True),
    Column("requests_per_minute", Integer, nullable=True),
    Column("requests_per_day", Integer, nullable=True),
    Column("tokens_per_day", Integer, nullable=True),
    Index("ix_keys_account_id", "account_id"),
)

# What a key used on a day, which is a number of days since 1970 in UTC.
key_uses = Table(
    "key_uses",
    metadata,
    Column("key_id", String(40), ForeignKey("keys.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("requests", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
)

# `sealed` is a nonce and a cipher text; what opens it lies in a file beside the database.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_s", Float, nullable=False),
)

# Work that takes long. `spec`, `figures` and `error` are JSON; times are seconds since 1970.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("error", Text, nullable=True),
    Column("created_s", Float, nullable=False),
    Column("started_s", Float, nullable=True),
    Column("ended_s", Float, nullable=True),
    Index("ix_jobs_kind", "kind", "created_s"),
)

# What a job's worker told, in its order.
job_events = Table(
    "job_events",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
)

# What evaluations found that came to their end. `file_digest` and `template_digest` are SHA-256; `file_state` tells
# whether a file is still the one that was asked, and with which template.
evaluation_scores = Table(
    "evaluation_scores",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("suite", String(20), nullable=False),
    Column("model", String(400), nullable=False),
    Column("file_digest", String(64), nullable=False),
    Column("file_state", String(64), nullable=False),
    Column("template_digest", String(64), nullable=False),
    Column("engine", String(200), nullable=False),
    Column("passed", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("at_s", Float, nullable=False),
)

# What two models answered to the same, for a person to choose between. `asked`, `first` and `second` are JSON; where
# `is_turned`, the first model's answer stands on the right. `choice` is a side; once `shown_s` is set, none is given.
evaluation_pairs = Table(
    "evaluation_pairs",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("asked", Text, nullable=False),
    Column("is_turned", Boolean, nullable=False),
    Column("first", Text, nullable=True),
    Column("second", Text, nullable=True),
    Column("choice", String(20), nullable=True),
    Column("voted_s", Float, nullable=True),
    Column("shown_s", Float, nullable=True),
)

# Sets of one's own, to try models on. `lines` is a text in JSON: one that is written as it came.
evaluation_sets = Table(
    "evaluation_sets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("lines", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("changed_s", Float, nullable=False),
)
