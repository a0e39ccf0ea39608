"""Owns finding passages: by their words, through FTS5 or PostgreSQL's full text, and by vectors, in SQLite alone.

Refuses to know how what is found both ways is put together. A passage is found among collections that whoever asks was
shown before; one that is asked for by its number is looked for among its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.errors import KnowledgeUnknown
from paddock.store.db import Database
from paddock.store.owners import mine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_SQLITE = (
    "SELECT p.id FROM knowledge_search CROSS JOIN knowledge_passages p ON p.id = knowledge_search.rowid "
    "WHERE knowledge_search MATCH :query AND p.collection_id IN :collections "
    "ORDER BY bm25(knowledge_search), p.id LIMIT :most"
)
_POSTGRESQL = (
    "SELECT p.id FROM knowledge_passages p "
    "WHERE to_tsvector('english', p.words) @@ to_tsquery('english', :query) AND p.collection_id IN :collections "
    "ORDER BY ts_rank(to_tsvector('english', p.words), to_tsquery('english', :query), 1) DESC, p.id LIMIT :most"
)
_NEAREST = (
    "SELECT passage_id FROM (SELECT passage_id, vec_distance_cosine(vector, :asked) AS far FROM knowledge_vectors "
    "WHERE collection_id IN :collections AND model = :model AND length(vector) = :size_bytes) AS found "
    "WHERE far IS NOT NULL ORDER BY far, passage_id LIMIT :most"
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A passage, and where it stands: from character `first` to `last` of the document's text."""

    id: int
    collection_id: str
    document_id: str
    document: str
    number: int
    page: int | None
    section: str
    first: int
    last: int
    text: str


class PassageStore:
    """The passages of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_vectors(self) -> bool:
        """Whether this database can compare vectors."""

        def work(connection: Connection) -> bool:
            return connection.dialect.name == "sqlite"

        return await self._database.run(work, only_reads=True)

    async def by_words(self, collections: Sequence[str], words: Sequence[str], most: int) -> list[int]:
        """The passages that have any of these words, folded, the best first."""

        def work(connection: Connection) -> list[int]:
            is_sqlite = connection.dialect.name == "sqlite"
            query = " OR ".join(f'"{one}"' for one in words) if is_sqlite else " | ".join(f"'{one}'" for one in words)
            given = {"query": query, "collections": list(collections), "most": most}
            return _numbers(connection, _SQLITE if is_sqlite else _POSTGRESQL, given)

        return await self._database.run(work, only_reads=True) if words else []

    async def nearest(self, collections: Sequence[str], model: str, vector: bytes, most: int) -> list[int]:
        """The passages whose vectors are nearest to one, the nearest first."""
        given: dict[str, Any] = {
            "asked": vector, "collections": list(collections), "model": model, "size_bytes": len(vector), "most": most,
        }  # fmt: skip
        return await self._database.run(lambda connection: _numbers(connection, _NEAREST, given), only_reads=True)

    async def has_other_widths(self, collections: Sequence[str], model: str, vector: bytes) -> bool:
        """Whether a model of this name made vectors that cannot be compared with this one."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import func, select

            from paddock.store.knowledge_tables import vectors

            others = (vectors.c.model == model) & (func.length(vectors.c.vector) != len(vector))
            wanted = select(vectors.c.passage_id).where(vectors.c.collection_id.in_(collections), others).limit(1)
            return connection.execute(wanted).first() is not None

        return await self._database.run(work, only_reads=True)

    async def told(self, numbers: Sequence[int]) -> list[Found]:
        """These passages, in this order; those of others, and those that are gone, are left out."""

        def work(connection: Connection) -> list[Found]:
            from paddock.store.knowledge_tables import passages

            there = {one.id: one for one in _rows(connection, passages.c.id.in_(numbers))}
            return [there[number] for number in numbers if number in there]

        return await self._database.run(work, only_reads=True)

    async def around(self, number: int, beside: int) -> list[Found]:
        """A passage with those before and after it in its document. Raises KnowledgeUnknown."""

        def work(connection: Connection) -> list[Found]:
            from paddock.store.knowledge_tables import passages

            if not (found := _rows(connection, passages.c.id == number)):
                raise KnowledgeUnknown("passage", str(number))
            near = passages.c.number.between(found[0].number - beside, found[0].number + beside)
            return _rows(connection, (passages.c.document_id == found[0].document_id) & near)

        return await self._database.run(work, only_reads=True)


def _numbers(connection: Connection, statement: str, given: dict[str, Any]) -> list[int]:
    from sqlalchemy import bindparam, text

    asked = text(statement).bindparams(bindparam("collections", expanding=True))
    return [int(row[0]) for row in connection.execute(asked, given)]


def _rows(connection: Connection, which: Any) -> list[Found]:
    from sqlalchemy import select

    from paddock.store.knowledge_tables import collections, documents, passages

    names = [name for name in Found.__dataclass_fields__ if name != "document"]
    wanted = select(*(passages.c[name] for name in names), documents.c.name.label("document"))
    wanted = wanted.select_from(passages.join(documents).join(collections)).where(which, mine(collections))
    return [Found(**row) for row in connection.execute(wanted.order_by(passages.c.number)).mappings()]
