"""Owns the tables of the page's chats, as SQLAlchemy sees them; refuses to query or change them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from paddock.store.tables import metadata

# What the full-text search of SQLite and PostgreSQL keeps for itself begins so; see migrations 0003 and 0008.
SEARCH = ("chat_search", "ix_chat_search", "knowledge_search", "ix_knowledge_search")
_ID = String(64)

# Times are seconds since 1970. `owner` is the account whose it is, or "" for the machine's.
# Columns of JSON are Text, written with escapes alone, which every database takes.
folders = Table(
    "chat_folders",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("position", Float, nullable=False),
    Column("owner", String(40), nullable=False, server_default=""),
)

chats = Table(
    "chats",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("title", String(200), nullable=False),
    Column("folder_id", _ID, ForeignKey("chat_folders.id", ondelete="SET NULL"), nullable=True),
    Column("created_s", Float, nullable=False),
    Column("updated_s", Float, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("deleted_s", Float, nullable=True),
    Column("settings", Text, nullable=False),
    Column("draft", Text, nullable=False),
    Column("leaf_id", _ID, nullable=True),
    Column("revision", Integer, nullable=False),
    Column("draft_revision", Integer, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("owner", String(40), nullable=False, server_default=""),
    Index("ix_chats_listed", "owner", "archived", "pinned", "updated_s", "id"),
    Index("ix_chats_folder_id", "folder_id"),
    Index("ix_chats_deleted_s", "deleted_s"),
)

# `number` is the place within the chat, in the order of making. `base` is what stood there before the present response;
# `asked` what the answer was asked with, `worker` and `beat_s` which process makes it and when it last said so.
messages = Table(
    "chat_messages",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("chat_id", _ID, ForeignKey("chats.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", _ID, ForeignKey("chat_messages.id", ondelete="CASCADE"), nullable=True),
    Column("number", Integer, nullable=False),
    Column("role", String(20), nullable=False),
    Column("model", String(400), nullable=True),
    Column("content", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("updated_s", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("response_id", String(80), nullable=True),
    Column("usage", Text, nullable=False),
    Column("timings", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("deleted_s", Float, nullable=True),
    Column("asked", Text, nullable=False),
    Column("worker", String(200), nullable=True),
    Column("beat_s", Float, nullable=True),
    Column("tries", Integer, nullable=False),
    Index("ix_chat_messages_chat_id", "chat_id", "number"),
    Index("ix_chat_messages_parent_id", "parent_id"),
    Index("ix_chat_messages_status", "status"),
    Index("ix_chat_messages_deleted_s", "deleted_s"),
)

# What is searched: the words of a title (no message) or of a piece of a message, folded, with blanks between them.
words = Table(
    "chat_words",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("chat_id", _ID, ForeignKey("chats.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", _ID, ForeignKey("chat_messages.id", ondelete="CASCADE"), nullable=True),
    Column("words", Text, nullable=False),
    Index("ix_chat_words_chat_id", "chat_id"),
    Index("ix_chat_words_message_id", "message_id"),
)

attachments = Table(
    "chat_attachments",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(300), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("width", Integer, nullable=True),
    Column("height", Integer, nullable=True),
    Column("characters", Integer, nullable=True),
    Column("created_s", Float, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("text", Text, nullable=True),
    Column("owner", String(40), nullable=False, server_default=""),
    Index("ix_chat_attachments_created_s", "created_s"),
)

# Which chats hold on to an attachment, by a message or by their draft.
attachment_uses = Table(
    "chat_attachment_uses",
    metadata,
    Column("attachment_id", _ID, ForeignKey("chat_attachments.id", ondelete="CASCADE"), primary_key=True),
    Column("chat_id", _ID, ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_chat_attachment_uses_chat_id", "chat_id"),
)

presets = Table(
    "chat_presets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("settings", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("updated_s", Float, nullable=False),
    Column("owner", String(40), nullable=False, server_default=""),
)

# What belongs to an account.
OWNED = (chats, folders, presets, attachments)


def is_table_of_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Whether a table or index is described here: what full-text search keeps for itself is not."""
    return not (name or "").startswith(SEARCH)
