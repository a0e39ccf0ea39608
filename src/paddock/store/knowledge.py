"""Owns the statements that keep collections and their documents; knows not what is in them, nor how it is found."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.clock import stamp_s
from paddock.errors import KnowledgeUnknown
from paddock.store.db import Database
from paddock.store.owners import mine, owner

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

# What is still to be done of a document, and what it comes to.
WAITING, READING, EMBEDDING, READY, FAILED, CANCELLED = (
    "waiting", "reading", "embedding", "ready", "failed", "cancelled",
)  # fmt: skip
AT_WORK = (WAITING, READING, EMBEDDING)


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One collection, and what it holds. Times are seconds since 1970."""

    id: str
    name: str
    folder: str | None
    created_s: float
    changed_s: float
    documents: int = 0
    passages: int = 0
    embedded: int = 0
    size_bytes: int = 0
    states: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document, without its text. `model` made the vectors of `embedded` of its `passages`."""

    id: str
    collection_id: str
    name: str
    size_bytes: int
    digest: str
    state: str
    error: str
    pages: int | None
    characters: int
    passages: int
    embedded: int
    model: str
    created_s: float
    changed_s: float


class KnowledgeStore:
    """The collections of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str) -> Collection:
        """A new collection of whoever asks."""
        now_s = stamp_s()
        row = {
            "id": f"col_{secrets.token_hex(8)}", "name": name, "folder": None, "owner": owner(),
            "created_s": now_s, "changed_s": now_s,
        }  # fmt: skip

        def work(connection: Connection) -> Collection:
            from sqlalchemy import insert

            from paddock.store.knowledge_tables import collections

            connection.execute(insert(collections).values(row))
            return _collections(connection, collections.c.id == row["id"])[0]

        return await self._database.run(work)

    async def listed(self) -> list[Collection]:
        """Those of whoever asks, the newest first."""

        def work(connection: Connection) -> list[Collection]:
            from sqlalchemy import true

            return _collections(connection, true())

        return await self._database.run(work, only_reads=True)

    async def find(self, collection_id: str) -> Collection:
        """One of whoever asks. Raises KnowledgeUnknown."""

        def work(connection: Connection) -> Collection:
            from paddock.store.knowledge_tables import collections

            found = _collections(connection, collections.c.id == collection_id)
            if not found:
                raise KnowledgeUnknown("collection", collection_id)
            return found[0]

        return await self._database.run(work, only_reads=True)

    async def change(self, collection_id: str, **values: Any) -> Collection:
        """Another name or folder. Raises KnowledgeUnknown."""

        def work(connection: Connection) -> None:
            from sqlalchemy import update

            from paddock.store.knowledge_tables import collections as one

            there = update(one).where(one.c.id == collection_id, mine(one))
            connection.execute(there.values({**values, "changed_s": stamp_s()}))

        await self._database.run(work)
        return await self.find(collection_id)

    async def remove(self, collection_id: str) -> None:
        """Forget a collection with all that is in it. Raises KnowledgeUnknown."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete

            from paddock.store.knowledge_tables import collections as one

            if not connection.execute(delete(one).where(one.c.id == collection_id, mine(one))).rowcount:
                raise KnowledgeUnknown("collection", collection_id)

        await self._database.run(work)

    async def documents(self, collection_id: str) -> list[Document]:
        """The documents of a collection by name. Raises KnowledgeUnknown."""
        await self.find(collection_id)

        def work(connection: Connection) -> list[Document]:
            from paddock.store.knowledge_tables import documents

            return _documents(connection, documents.c.collection_id == collection_id)

        return await self._database.run(work, only_reads=True)

    async def document(self, document_id: str) -> Document:
        """One document of whoever asks. Raises KnowledgeUnknown."""

        def work(connection: Connection) -> Document:
            from paddock.store.knowledge_tables import documents

            if not (found := _documents(connection, documents.c.id == document_id)):
                raise KnowledgeUnknown("document", document_id)
            return found[0]

        return await self._database.run(work, only_reads=True)

    async def put(self, collection_id: str, name: str, digest: str, size_bytes: int, source: bytes | None) -> Document:
        """A document that waits to be read, in place of one of that name; one that is as it was stays."""

        def work(connection: Connection) -> str:
            from sqlalchemy import insert, update

            from paddock.store.knowledge_tables import documents

            now_s = stamp_s()
            there = _documents(connection, (documents.c.collection_id == collection_id) & (documents.c.name == name))
            values: dict[str, Any] = {
                "size_bytes": size_bytes, "digest": digest, "state": WAITING, "error": "", "source": source,
                "worker": None, "changed_s": now_s,
            }  # fmt: skip
            if there:
                if there[0].digest != digest or there[0].state in (FAILED, CANCELLED):
                    connection.execute(update(documents).where(documents.c.id == there[0].id).values(values))
                return there[0].id
            made = f"doc_{secrets.token_hex(8)}"
            values |= {"id": made, "collection_id": collection_id, "name": name, "created_s": now_s, "model": ""}
            values |= {"pages": None, "characters": 0, "passages": 0, "embedded": 0}
            connection.execute(insert(documents).values(values))
            return made

        return await self.document(await self._database.run(work))

    async def remove_documents(self, ids: Sequence[str]) -> None:
        """Forget documents, which whoever asks was shown before."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete

            from paddock.store.knowledge_tables import documents

            for one in ids:
                connection.execute(delete(documents).where(documents.c.id == one))

        await self._database.run(work)

    async def held_bytes(self) -> int:
        """How large all documents of whoever asks are together."""

        def work(connection: Connection) -> int:
            from sqlalchemy import func, select

            from paddock.store.knowledge_tables import collections, documents

            whole = select(func.coalesce(func.sum(documents.c.size_bytes), 0)).select_from(documents.join(collections))
            return int(connection.execute(whole.where(collections.c.owner == owner())).scalar() or 0)

        return await self._database.run(work, only_reads=True)


def _collections(connection: Connection, which: ColumnElement[bool]) -> list[Collection]:
    from sqlalchemy import func, select

    from paddock.store.knowledge_tables import collections, documents

    rows = connection.execute(
        select(collections).where(which, mine(collections)).order_by(collections.c.created_s.desc(), collections.c.id)
    ).mappings()
    names = ("id", "name", "folder", "created_s", "changed_s")
    found = [{name: row[name] for name in names} for row in rows]
    sums = [func.sum(documents.c[name]) for name in ("passages", "embedded", "size_bytes")]
    counted = select(documents.c.collection_id, documents.c.state, func.count(), *sums).group_by(
        documents.c.collection_id, documents.c.state
    )
    held: dict[str, list[Any]] = {}
    for row in connection.execute(counted.where(documents.c.collection_id.in_([one["id"] for one in found]))):
        held.setdefault(row[0], []).append(row)
    return [
        Collection(
            **one,
            states={row[1]: row[2] for row in held.get(one["id"], [])},
            documents=sum(row[2] for row in held.get(one["id"], [])),
            passages=int(sum(row[3] for row in held.get(one["id"], []))),
            embedded=int(sum(row[4] for row in held.get(one["id"], []))),
            size_bytes=int(sum(row[5] for row in held.get(one["id"], []))),
        )
        for one in found
    ]


def _documents(connection: Connection, which: ColumnElement[bool]) -> list[Document]:
    from sqlalchemy import select

    from paddock.store.knowledge_tables import collections, documents

    columns = [documents.c[name] for name in Document.__dataclass_fields__]
    wanted = select(*columns).select_from(documents.join(collections)).where(which, mine(collections))
    return [Document(**row) for row in connection.execute(wanted.order_by(documents.c.name)).mappings()]
