"""Collections of documents, their passages, and what searches them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEX = (
    "CREATE VIRTUAL TABLE knowledge_search USING fts5(words, content='knowledge_passages', content_rowid='id', "
    "tokenize='porter unicode61 remove_diacritics 0')"
)
_ADDED = (
    "CREATE TRIGGER knowledge_search_added AFTER INSERT ON knowledge_passages BEGIN "
    "INSERT INTO knowledge_search(rowid, words) VALUES (new.id, new.words); END"
)
_REMOVED = (
    "CREATE TRIGGER knowledge_search_removed AFTER DELETE ON knowledge_passages BEGIN "
    "INSERT INTO knowledge_search(knowledge_search, rowid, words) VALUES ('delete', old.id, old.words); END"
)
_POSTGRESQL = "CREATE INDEX ix_knowledge_search ON knowledge_passages USING gin (to_tsvector('english', words))"


def upgrade() -> None:
    """Make the tables and what searches them."""
    _collections()
    _documents()
    _passages()
    op.create_table(
        "knowledge_vectors",
        sa.Column("passage_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.String(64), nullable=False),
        sa.Column("model", sa.String(400), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["passage_id"], ["knowledge_passages.id"], name="fk_knowledge_vectors_passage_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("passage_id", name="pk_knowledge_vectors"),
    )
    op.create_index("ix_knowledge_vectors_collection_id", "knowledge_vectors", ["collection_id", "model"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in (_INDEX, _ADDED, _REMOVED):
            op.execute(statement)
    else:
        op.execute(_POSTGRESQL)


def _collections() -> None:
    op.create_table(
        "knowledge_collections",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(40), server_default="", nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("changed_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_collections"),
    )
    op.create_index("ix_knowledge_collections_owner", "knowledge_collections", ["owner", "created_s"])


def _documents() -> None:
    op.create_table(
        "knowledge_documents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("collection_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(400), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("embedded", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(400), nullable=False),
        sa.Column("worker", sa.String(200), nullable=True),
        sa.Column("source", sa.LargeBinary(), nullable=True),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("changed_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["knowledge_collections.id"],
            name="fk_knowledge_documents_collection_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_documents"),
    )
    op.create_index("ix_knowledge_documents_collection_id", "knowledge_documents", ["collection_id", "name"])
    op.create_index("ix_knowledge_documents_state", "knowledge_documents", ["state"])


def _passages() -> None:
    op.create_table(
        "knowledge_passages",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("collection_id", sa.String(64), nullable=False),
        sa.Column("document_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("section", sa.String(300), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["knowledge_documents.id"], name="fk_knowledge_passages_document_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_passages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_knowledge_passages_document_id", "knowledge_passages", ["document_id", "number"])
    op.create_index("ix_knowledge_passages_collection_id", "knowledge_passages", ["collection_id"])
