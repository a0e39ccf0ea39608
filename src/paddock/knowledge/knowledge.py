"""Owns what callers do with collections: documents in and out, folders that are followed, searching; within bounds.

Refuses to know how a document is read, and who may do what: the database shows each caller its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from paddock.config import Settings
from paddock.errors import BadRequest, BodyTooLarge, Conflict, FieldInvalid, shown, size
from paddock.knowledge import folders
from paddock.knowledge.embedding import Embedder
from paddock.knowledge.indexer import DOCUMENT_MOST_BYTES, Indexer
from paddock.knowledge.searching import Findings, Searcher, Way
from paddock.sandbox import files
from paddock.store.db import Database
from paddock.store.indexing import IndexStore
from paddock.store.knowledge import Collection, Document, KnowledgeStore
from paddock.store.passages import Found, PassageStore

NAME_MOST = 200
_DOCUMENT_NAME_MOST = 400
_COLLECTIONS_MOST = 200
_DOCUMENTS_MOST = 5000
_HELD_MOST_BYTES = 4 * 2**30
_BESIDE = 1


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What became of a folder's files: counts, and names of those that were left out with the reason."""

    added: int
    changed: int
    removed: int
    same: int
    left_out: Sequence[str]


class Knowledge:
    """The collections of one paddock. Every method raises StoreUnusable where the database cannot be used."""

    def __init__(self, settings: Settings, database: Database) -> None:
        has_vectors = not settings.database_url.startswith("postgres")
        self._home = settings.home
        self.store = KnowledgeStore(database)
        self.embedder = Embedder(model=settings.knowledge_model)
        self._passages = PassageStore(database)
        self._index = IndexStore(database)
        self._searcher = Searcher(passages=self._passages, embedder=self.embedder, has_vectors=has_vectors)
        self._working = anyio.CancelScope()
        self.indexer = Indexer(self._index, self.embedder, settings.home, has_vectors=has_vectors)

    async def carry_on(self) -> None:
        """Read and embed what waits, and what comes, until `close`."""
        with self._working:
            await self.indexer.carry_on()

    def close(self) -> None:
        """Read and embed no more. What is left is the next paddock's."""
        self._working.cancel()

    @property
    def note(self) -> str:
        """Why passages are found by their words alone; "" where they are found by meaning too."""
        return self._searcher.why_words_alone

    async def create(self, name: str) -> Collection:
        """A new collection. Raises FieldInvalid or Conflict."""
        if len(await self.store.listed()) >= _COLLECTIONS_MOST:
            raise Conflict(f"There are {_COLLECTIONS_MOST} collections, and no more are kept. Remove one.", current={})
        return await self.store.create(_named(name, NAME_MOST))

    async def rename(self, collection_id: str, name: str) -> Collection:
        """Another name. Raises KnowledgeUnknown or FieldInvalid."""
        return await self.store.change(collection_id, name=_named(name, NAME_MOST))

    async def add(self, collection_id: str, name: str, data: bytes) -> Document:
        """A document to be read, in place of one of that name. Raises KnowledgeUnknown, FieldInvalid or Conflict."""
        there = await self.store.find(collection_id)
        if there.folder is not None:
            raise Conflict(f"{shown(there.name)} follows a folder. Put the file there, and sync.", current={})
        if len(data) > DOCUMENT_MOST_BYTES:
            raise BodyTooLarge(limit_bytes=DOCUMENT_MOST_BYTES)
        if not data:
            raise FieldInvalid(f"{shown(name)} is empty. Add another file.", param="name")
        await self._refuse_full(there, len(data))
        digest = await anyio.to_thread.run_sync(_digest, data)
        found = await self.store.put(collection_id, _named(name, _DOCUMENT_NAME_MOST), digest, len(data), data)
        self.indexer.ring()
        return found

    async def remove_document(self, collection_id: str, document_id: str) -> None:
        """Forget a document. Raises KnowledgeUnknown."""
        found = await self.store.document(document_id)
        await self.store.find(collection_id)
        if found.collection_id != collection_id:
            await self.store.document("")
        await self.store.remove_documents([document_id])

    async def cancel(self, collection_id: str) -> int:
        """End what is being done; how many documents. What was read stays. Raises KnowledgeUnknown."""
        await self.store.find(collection_id)
        return await self._index.cancel(collection_id)

    async def resume(self, collection_id: str) -> int:
        """Go on with it; how many documents. Raises KnowledgeUnknown."""
        await self.store.find(collection_id)
        count = await self._index.resume(collection_id)
        self.indexer.ring()
        return count

    async def search(self, collections: Sequence[str], query: str, *, limit: int, way: Way = "both") -> Findings:
        """The best passages of collections of whoever asks. Raises KnowledgeUnknown or FieldInvalid."""
        for one in collections:
            await self.store.find(one)
        if not query.strip():
            raise FieldInvalid("query is empty. Say what to look for.", param="query")
        findings = await self._searcher.find(collections, query, limit=limit, way=way)
        if findings.other_bytes:
            await self.indexer.turn_width(findings.other_bytes)
        return findings

    async def passage(self, number: int) -> list[Found]:
        """A passage, with those beside it. Raises KnowledgeUnknown."""
        return await self._passages.around(number, _BESIDE)

    async def follow(self, collection_id: str, folder: str) -> Synced:
        """Have an empty collection hold what a folder of this machine holds. Raises BadRequest or Conflict."""
        there = await self.store.find(collection_id)
        path = await anyio.to_thread.run_sync(folders.checked, folder, self._home)
        look = _whole(str(path), await anyio.to_thread.run_sync(folders.look, path))
        if there.documents and there.folder is None:
            raise Conflict(f"{shown(there.name)} holds documents that were added. Make a new collection.", current={})
        await self.store.change(collection_id, folder=str(path))
        return await self._take_up(there, path, look)

    async def sync(self, collection_id: str) -> Synced:
        """Take up what changed in a collection's folder. Raises KnowledgeUnknown, BadRequest or Conflict."""
        there = await self.store.find(collection_id)
        if there.folder is None:
            raise BadRequest(f"{shown(there.name)} follows no folder. `paddock knowledge sync` gives it one.")
        root = Path(there.folder)
        look = _whole(there.folder, await anyio.to_thread.run_sync(folders.look, root))
        return await self._take_up(there, root, look)

    async def _take_up(self, there: Collection, root: Path, look: folders.Seen) -> Synced:
        known = {one.name: one for one in await self.store.documents(there.id)}
        names = sorted(look.sizes_bytes)
        if len(names) > _DOCUMENTS_MOST:
            raise BadRequest(f"The folder holds {len(names)} files, and a collection at most {_DOCUMENTS_MOST}.")
        added = changed = same = 0
        left_out: list[str] = []
        for name in names:
            digest = await anyio.to_thread.run_sync(_file_digest, root, name)
            before = known.pop(name, None)
            if isinstance(digest, Exception) or len(name) > _DOCUMENT_NAME_MOST:
                left_out.append(f"{name}: {digest if isinstance(digest, Exception) else 'its name is too long'}")
                continue
            if before is not None and before.digest == digest:
                same += 1
                continue
            await self._refuse_full(there, look.sizes_bytes[name])
            await self.store.put(there.id, name, digest, look.sizes_bytes[name], None)
            added, changed = added + (before is None), changed + (before is not None)
        await self.store.remove_documents([one.id for one in known.values()])
        self.indexer.ring()
        return Synced(added=added, changed=changed, removed=len(known), same=same, left_out=left_out)

    async def _refuse_full(self, there: Collection, more_bytes: int) -> None:
        if there.documents >= _DOCUMENTS_MOST:
            raise Conflict(f"A collection holds {_DOCUMENTS_MOST} documents at most. Remove some.", current={})
        if (held := await self.store.held_bytes()) + more_bytes > _HELD_MOST_BYTES:
            raise Conflict(
                f"Your documents take {size(held)}, and may take {size(_HELD_MOST_BYTES)}. Remove some.", current={}
            )


def _whole(folder: str, seen: folders.Seen) -> folders.Seen:
    """A look at all of a folder; of any other nothing may be taken away, since what is unseen is not gone."""
    if seen.why:
        raise BadRequest(f"{shown(folder)} cannot be looked at as a whole: {seen.why}. Nothing was changed.")
    return seen


def _named(name: str, most: int) -> str:
    """A name on one line. Raises FieldInvalid."""
    found = " ".join(name.replace("\x00", "").encode("utf-8", "replace").decode().split())
    if not 1 <= len(found) <= most:
        raise FieldInvalid(f"name: has {len(found)} characters; give one of 1 to {most}.", param="name")
    return found


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _file_digest(root: Path, name: str) -> str | Exception:
    try:
        return _digest(files.read(root, name, most_bytes=DOCUMENT_MOST_BYTES))
    except OSError as error:
        return error
