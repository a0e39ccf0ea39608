"""The page's chats: folders, trees of messages, what is searched, attachments, presets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEX = (
    "CREATE VIRTUAL TABLE chat_search USING fts5(words, content='chat_words', content_rowid='id', "
    "tokenize='unicode61 remove_diacritics 0', prefix='1 2 3')"
)
_ADDED = (
    "CREATE TRIGGER chat_search_added AFTER INSERT ON chat_words BEGIN "
    "INSERT INTO chat_search(rowid, words) VALUES (new.id, new.words); END"
)
_REMOVED = (
    "CREATE TRIGGER chat_search_removed AFTER DELETE ON chat_words BEGIN "
    "INSERT INTO chat_search(chat_search, rowid, words) VALUES ('delete', old.id, old.words); END"
)
# The words are folded and parted by blanks before they are kept: both databases find the same.
_POSTGRESQL = "CREATE INDEX ix_chat_search ON chat_words USING gin (to_tsvector('simple', words))"


def upgrade() -> None:
    """Make the tables and what searches them."""
    _chat_folders()
    _chats()
    _chat_messages()
    _chat_words()
    _chat_attachments()
    _chat_attachment_uses()
    _chat_presets()
    if op.get_bind().dialect.name == "sqlite":
        for statement in (_INDEX, _ADDED, _REMOVED):
            op.execute(statement)
    else:
        op.execute(_POSTGRESQL)


def _chat_folders() -> None:
    op.create_table(
        "chat_folders",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("position", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_folders"),
    )


def _chats() -> None:
    op.create_table(
        "chats",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("folder_id", sa.String(64), nullable=True),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("updated_s", sa.Float(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("deleted_s", sa.Float(), nullable=True),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("leaf_id", sa.String(64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("draft_revision", sa.Integer(), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["chat_folders.id"], name="fk_chats_folder_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_chats"),
    )
    op.create_index("ix_chats_deleted_s", "chats", ["deleted_s"])
    op.create_index("ix_chats_folder_id", "chats", ["folder_id"])
    op.create_index("ix_chats_listed", "chats", ["archived", "pinned", "updated_s", "id"])


def _chat_messages() -> None:
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("parent_id", sa.String(64), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("model", sa.String(400), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("updated_s", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("response_id", sa.String(80), nullable=True),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("timings", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("deleted_s", sa.Float(), nullable=True),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("worker", sa.String(200), nullable=True),
        sa.Column("beat_s", sa.Float(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_chat_messages_chat_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["chat_messages.id"], name="fk_chat_messages_parent_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
    )
    op.create_index("ix_chat_messages_chat_id", "chat_messages", ["chat_id", "number"])
    op.create_index("ix_chat_messages_deleted_s", "chat_messages", ["deleted_s"])
    op.create_index("ix_chat_messages_parent_id", "chat_messages", ["parent_id"])
    op.create_index("ix_chat_messages_status", "chat_messages", ["status"])


def _chat_words() -> None:
    op.create_table(
        "chat_words",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_chat_words_chat_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chat_messages.id"], name="fk_chat_words_message_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_chat_words"),
    )
    op.create_index("ix_chat_words_chat_id", "chat_words", ["chat_id"])
    op.create_index("ix_chat_words_message_id", "chat_words", ["message_id"])


def _chat_attachments() -> None:
    op.create_table(
        "chat_attachments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=True),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_chat_attachments"),
    )
    op.create_index("ix_chat_attachments_created_s", "chat_attachments", ["created_s"])


def _chat_attachment_uses() -> None:
    op.create_table(
        "chat_attachment_uses",
        sa.Column("attachment_id", sa.String(64), nullable=False),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"], ["chat_attachments.id"], name="fk_chat_attachment_uses_attachment_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_chat_attachment_uses_chat_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("attachment_id", "chat_id", name="pk_chat_attachment_uses"),
    )
    op.create_index("ix_chat_attachment_uses_chat_id", "chat_attachment_uses", ["chat_id"])


def _chat_presets() -> None:
    op.create_table(
        "chat_presets",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("updated_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_presets"),
    )
