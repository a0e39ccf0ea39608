"""Owns the tables of knowledge, as SQLAlchemy sees them; refuses to query or change them."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from paddock.store.tables import metadata

_ID = String(64)

# Times are seconds since 1970. `owner` is the account whose it is, or "" for the machine's. `folder` is where its
# documents come from, where they come from a folder of this machine.
collections = Table(
    "knowledge_collections",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("folder", Text, nullable=True),
    Column("owner", String(40), nullable=False, server_default=""),
    Column("created_s", Float, nullable=False),
    Column("changed_s", Float, nullable=False),
    Index("ix_knowledge_collections_owner", "owner", "created_s"),
)

# `source` are a document's bytes until they were read. `worker` is which process is at work on it. `embedded` counts
# the passages of the present text that have a vector.
documents = Table(
    "knowledge_documents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("collection_id", _ID, ForeignKey("knowledge_collections.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(400), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("error", Text, nullable=False),
    Column("pages", Integer, nullable=True),
    Column("characters", Integer, nullable=False),
    Column("passages", Integer, nullable=False),
    Column("embedded", Integer, nullable=False),
    Column("model", String(400), nullable=False),
    Column("worker", String(200), nullable=True),
    Column("source", LargeBinary, nullable=True),
    Column("created_s", Float, nullable=False),
    Column("changed_s", Float, nullable=False),
    Index("ix_knowledge_documents_collection_id", "collection_id", "name"),
    Index("ix_knowledge_documents_state", "state"),
)

# A piece of a document's text, from character `first` to `last`. `words` are folded, with blanks between them.
passages = Table(
    "knowledge_passages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("collection_id", _ID, nullable=False),
    Column("document_id", _ID, ForeignKey("knowledge_documents.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("page", Integer, nullable=True),
    Column("section", String(300), nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("words", Text, nullable=False),
    Index("ix_knowledge_passages_document_id", "document_id", "number"),
    Index("ix_knowledge_passages_collection_id", "collection_id"),
    # No number is given twice: a citation of what is gone opens nothing else.
    sqlite_autoincrement=True,
)

# What a model made of a passage: floats of 32 bits, the lowest byte first, of length 1.
vectors = Table(
    "knowledge_vectors",
    metadata,
    Column(
        "passage_id",
        Integer,
        ForeignKey("knowledge_passages.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("collection_id", _ID, nullable=False),
    Column("model", String(400), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Index("ix_knowledge_vectors_collection_id", "collection_id", "model"),
)
