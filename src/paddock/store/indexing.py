"""Owns the statements by which documents become passages and vectors; refuses to know who does that, and how.

A document is claimed by one process at a time. What a process that is gone had claimed is open to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from paddock.clock import stamp_s
from paddock.store.db import Database
from paddock.store.knowledge import AT_WORK, CANCELLED, EMBEDDING, FAILED, READING, READY, WAITING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_ERROR_MOST = 4000
_ROWS_AT_ONCE = 1000
# Each process works on one document, and few processes share a database.
_LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A document that this process works on. `source` are its bytes, None where they lie in `folder`."""

    id: str
    collection_id: str
    name: str
    digest: str
    state: str
    folder: str | None
    source: bytes | None


class IndexStore:
    """What is to be done of the documents of one database. Every method raises StoreUnusable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # The owners of documents that were claimed, and when they were last served, counted.
        self._served: dict[str, int] = {}

    @property
    def is_there(self) -> bool:
        """Whether there is a database at all."""
        return self._database.is_there

    async def claim(self, worker: str, is_there: Callable[[str], bool]) -> Claimed | None:
        """The next document that nobody who is there works on: now this worker does. None where there is none.

        Accounts take turns; of one account the oldest comes first.
        """

        def work(connection: Connection) -> Claimed | None:
            from sqlalchemy import case, select, update

            from paddock.store.knowledge_tables import collections, documents

            free = (
                (row[0], owner)
                for owner in sorted(_waiting(connection), key=lambda one: self._served.get(one, 0))
                for row in _oldest(connection, owner)
                if not row[1] or row[1] == worker or not is_there(row[1])
            )
            found, owner = next(free, (None, ""))
            if found is None:
                return None
            self._served[owner] = max(self._served.values(), default=0) + 1
            # The bytes of this one alone, and only where they are to be read.
            names = ("id", "collection_id", "name", "digest", "state")
            source = case((documents.c.state != EMBEDDING, documents.c.source), else_=None).label("source")
            whole = select(*(documents.c[name] for name in names), source, collections.c.folder)
            whole = whole.select_from(documents.join(collections)).where(documents.c.id == found)
            row = dict(connection.execute(whole).mappings().one())
            row["state"] = EMBEDDING if row["state"] == EMBEDDING else READING
            claimed = update(documents).where(documents.c.id == found)
            connection.execute(claimed.values(state=row["state"], worker=worker))
            return Claimed(**row)

        return await self._database.run(work)

    async def give_way(self, one: Claimed) -> bool:
        """Leave a document for later where another account's wait; whether that was done."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import update

            from paddock.store.knowledge_tables import documents

            if len(_waiting(connection)) < 2:
                return False
            mine = (documents.c.id == one.id) & (documents.c.digest == one.digest) & (documents.c.state == EMBEDDING)
            return bool(connection.execute(update(documents).where(mine).values(worker=None)).rowcount)

        return await self._database.run(work)

    async def is_claimed(self, one: Claimed, worker: str) -> bool:
        """Whether a document is still this worker's, and what it was."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import select

            from paddock.store.knowledge_tables import documents

            mine = (documents.c.id == one.id) & (documents.c.digest == one.digest) & (documents.c.worker == worker)
            wanted = select(documents.c.id).where(mine, documents.c.state.in_((READING, EMBEDDING)))
            return connection.execute(wanted).first() is not None

        return await self._database.run(work, only_reads=True)

    async def read(self, one: Claimed, rows: Sequence[dict[str, Any]], **figures: Any) -> bool:
        """Keep a document's passages in place of those it had; whether it is still the one that was claimed.

        Many are kept in several transactions, between which others write; one that is broken off is begun anew.
        """

        def work(connection: Connection, start: int) -> bool:
            from sqlalchemy import delete, insert, update

            from paddock.store.knowledge_tables import documents, passages

            mine = (documents.c.id == one.id) & (documents.c.digest == one.digest) & (documents.c.state == READING)
            stop = min(start + _ROWS_AT_ONCE, len(rows))
            values: dict[str, Any] = {"passages": stop, "embedded": 0, "model": "", **figures}
            if stop == len(rows):
                values |= {"state": EMBEDDING, "source": None}
            if not connection.execute(update(documents).where(mine).values(values)).rowcount:
                return False
            if not start:
                connection.execute(delete(passages).where(passages.c.document_id == one.id))
            own = {"document_id": one.id, "collection_id": one.collection_id}
            if batch := [{**row, **own} for row in rows[start:stop]]:
                connection.execute(insert(passages), batch)
            return True

        for start in range(0, max(len(rows), 1), _ROWS_AT_ONCE):
            if not await self._database.run(partial(work, start=start)):
                return False
        return True

    async def unembedded(self, document_id: str, model: str, most: int) -> list[tuple[int, str]]:
        """Passages of a document that have no vector of this model yet, with their texts."""

        def work(connection: Connection) -> list[tuple[int, str]]:
            from sqlalchemy import and_, select

            from paddock.store.knowledge_tables import passages, vectors

            has = and_(vectors.c.passage_id == passages.c.id, vectors.c.model == model)
            wanted = select(passages.c.id, passages.c.text).select_from(passages.outerjoin(vectors, has))
            wanted = wanted.where(passages.c.document_id == document_id, vectors.c.passage_id.is_(None))
            return [(row[0], row[1]) for row in connection.execute(wanted.order_by(passages.c.number).limit(most))]

        return await self._database.run(work, only_reads=True)

    async def embedded(self, one: Claimed, model: str, made: Sequence[tuple[int, bytes]]) -> bool:
        """Keep vectors; whether the document is still worked on."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import delete, func, insert, select, update

            from paddock.store.knowledge_tables import documents, passages, vectors

            mine = (documents.c.id == one.id) & (documents.c.digest == one.digest) & (documents.c.state == EMBEDDING)
            if not connection.execute(select(documents.c.id).where(mine)).first():
                return False
            connection.execute(delete(vectors).where(vectors.c.passage_id.in_([number for number, _ in made])))
            own = {"collection_id": one.collection_id, "model": model}
            connection.execute(
                insert(vectors), [{**own, "passage_id": number, "vector": vector} for number, vector in made]
            )
            count = select(func.count()).select_from(vectors.join(passages))
            count = count.where(passages.c.document_id == one.id, vectors.c.model == model).scalar_subquery()
            connection.execute(update(documents).where(mine).values(embedded=count, model=model))
            return True

        return await self._database.run(work)

    async def settle(self, one: Claimed, state: str, error: str = "", *, forgets_source: bool = False) -> None:
        """A document's end, unless it was taken from whoever works on it. What failed unread loses its old text."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, select, update

            from paddock.store.knowledge_tables import documents, passages

            mine = (documents.c.id == one.id) & (documents.c.digest == one.digest)
            at_work = documents.c.state.in_((READING, EMBEDDING))
            said = error.replace("\x00", "").encode("utf-8", "replace").decode()[:_ERROR_MOST]
            values: dict[str, Any] = {"state": state, "error": said, "worker": None, "changed_s": stamp_s()}
            if forgets_source:
                values["source"] = None
            was = connection.execute(select(documents.c.state).where(mine, at_work)).scalar()
            if state == FAILED and was == READING:
                connection.execute(delete(passages).where(passages.c.document_id == one.id))
                values |= {"pages": None, "characters": 0, "passages": 0, "embedded": 0, "model": ""}
            connection.execute(update(documents).where(mine, at_work).values(values))

        await self._database.run(work)

    async def cancel(self, collection_id: str) -> int:
        """End what is to be done in a collection, which whoever asks was shown before; how many documents."""

        def work(connection: Connection) -> int:
            from sqlalchemy import update

            from paddock.store.knowledge_tables import documents

            there = (documents.c.collection_id == collection_id) & documents.c.state.in_(AT_WORK)
            values = {"state": CANCELLED, "worker": None, "changed_s": stamp_s()}
            return connection.execute(update(documents).where(there).values(values)).rowcount

        return await self._database.run(work)

    async def resume(self, collection_id: str) -> int:
        """Go on with what was cancelled or failed in a collection, embed what has no vector; how many documents.

        What failed with no bytes left to read stays as it is.
        """

        def work(connection: Connection) -> int:
            from sqlalchemy import select, update

            from paddock.store.knowledge_tables import collections, documents

            there = documents.c.collection_id == collection_id
            cancelled, done = documents.c.state == CANCELLED, documents.c.passages > 0
            ended = documents.c.state.in_((CANCELLED, FAILED))
            unread = update(documents).where(there, cancelled, documents.c.passages == 0).values(state=WAITING)
            lacking = (documents.c.state == READY) & (documents.c.embedded < documents.c.passages)
            # A new text came for it, whose bytes are still there, or in their folder.
            in_folders = select(collections.c.id).where(collections.c.folder.is_not(None))
            has_source = documents.c.source.is_not(None) | documents.c.collection_id.in_(in_folders)
            renewed = update(documents).where(there, ended, has_source).values(state=WAITING, error="")
            count = connection.execute(renewed).rowcount + connection.execute(unread).rowcount
            rest = update(documents).where(there, done, lacking | ended).values(state=EMBEDDING, error="")
            return count + connection.execute(rest).rowcount

        return await self._database.run(work)

    async def turn_width(self, model: str, size_bytes: int) -> int:
        """Forget vectors of a model that are not of this size, and have what they were of embedded; how many documents.

        A model of the same name may be another one.
        """

        def work(connection: Connection) -> int:
            from sqlalchemy import delete, func, select, update

            from paddock.store.knowledge_tables import documents, passages, vectors

            others = (vectors.c.model == model) & (func.length(vectors.c.vector) != size_bytes)
            of_these = select(passages.c.document_id).select_from(vectors.join(passages)).where(others)
            turned = update(documents).where(documents.c.id.in_(of_these), documents.c.state == READY)
            count = connection.execute(turned.values(state=EMBEDDING, embedded=0, error="")).rowcount
            connection.execute(delete(vectors).where(others))
            return count

        return await self._database.run(work)

    async def turn_to(self, model: str) -> int:
        """Have all that was embedded by another model embedded by this one; how many documents."""

        def work(connection: Connection) -> int:
            from sqlalchemy import update

            from paddock.store.knowledge_tables import documents

            other = (documents.c.state == READY) & (documents.c.passages > 0)
            lacking = (documents.c.model != model) | (documents.c.embedded < documents.c.passages)
            turned = update(documents).where(other, lacking).values(state=EMBEDDING, embedded=0, error="")
            return connection.execute(turned).rowcount

        return await self._database.run(work)


def _waiting(connection: Connection) -> list[str]:
    """The owners of what is to be done, whoever waits longest first."""
    from sqlalchemy import func, select

    from paddock.store.knowledge_tables import collections, documents

    wanted = select(collections.c.owner).select_from(documents.join(collections)).where(documents.c.state.in_(AT_WORK))
    wanted = wanted.group_by(collections.c.owner).order_by(func.min(documents.c.created_s), collections.c.owner)
    return [str(row[0]) for row in connection.execute(wanted)]


def _oldest(connection: Connection, owner: str) -> list[tuple[str, str | None]]:
    """What is to be done of an owner's, and who works on it."""
    from sqlalchemy import select

    from paddock.store.knowledge_tables import collections, documents

    wanted = select(documents.c.id, documents.c.worker).select_from(documents.join(collections))
    wanted = wanted.where(documents.c.state.in_(AT_WORK), collections.c.owner == owner)
    wanted = wanted.order_by(documents.c.created_s, documents.c.id).limit(_LOOKED_AT)
    return [(row[0], row[1]) for row in connection.execute(wanted)]
