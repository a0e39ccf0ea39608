"""Owns the work behind collections: reading documents apart, cutting them, embedding their passages, one at a time.

All that is to be done stands in the database: what a paddock that ended had not done, the next one does, and what was
embedded is not embedded again. Refuses to know whose the documents are.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import anyio.to_thread

from paddock import process
from paddock.clock import steady_s
from paddock.errors import (
    FileUnreadable,
    PaddockError,
    StoreBusy,
    StoreDamaged,
    StoreFull,
    StoreUnusable,
    shown,
)
from paddock.knowledge.cutting import cut, whole_text
from paddock.knowledge.embedding import Embedder, NotEmbedded
from paddock.log import named
from paddock.paths import Home
from paddock.reading import apart
from paddock.sandbox import files
from paddock.scratch import private_folder
from paddock.store.folding import rows_of
from paddock.store.indexing import Claimed, IndexStore
from paddock.store.knowledge import FAILED, READING, READY

_log = named(__name__)
DOCUMENT_MOST_BYTES = 32 * 2**20
_READ_S = 120.0
_AT_ONCE = 16
_PASSAGES_MOST = 20_000
_AGAIN_S = 30.0
_LOOK_S = 1.0
# So long one account's document is embedded while others wait.
_TURN_S = 60.0
_REFUSED = "The database refused twice what was read of it. The log says why; have it tried again (resume)."
_UNEVEN = (
    "It is found by its words alone: the model gives vectors of several widths. Start paddock again if it is another."
)
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class Indexer:
    """What is done of the documents of one paddock."""

    def __init__(self, store: IndexStore, embedder: Embedder, home: Home, *, has_vectors: bool) -> None:
        self._store = store
        self._embedder = embedder
        self._home = home
        self._has_vectors = has_vectors
        self._bell = anyio.Event()
        # Of a vector, as the model made them since this began; 0 until it made one.
        self._size_bytes = 0
        # Documents that the database refused once, by id and digest.
        self._refused: set[tuple[str, str]] = set()

    def ring(self) -> None:
        """There is something to do."""
        self._bell.set()

    async def turn_width(self, size_bytes: int) -> bool:
        """The model's vectors have this size: those of another are made anew. Whether that is so; it turns but once."""
        if not self._size_bytes:
            count = await self._store.turn_width(self._embedder.model, size_bytes)
            self._size_bytes = size_bytes
            if count:
                self.ring()
        return self._size_bytes == size_bytes

    async def carry_on(self) -> None:
        """Do what is to be done, and what comes; for the length of the server."""
        is_turned = False
        while True:
            self._bell = anyio.Event()
            try:
                if self._store.is_there:
                    if not is_turned and self._embeds:
                        await self._store.turn_to(self._embedder.model)
                        is_turned = True
                    while (one := await self._store.claim(process.this(), process.is_there)) is not None:
                        await self._do(one)
            except StoreUnusable as error:
                _log.warning("documents wait to be read: %s", error.message)
                with anyio.move_on_after(_AGAIN_S):
                    await self._bell.wait()
                continue
            await self._bell.wait()

    @property
    def _embeds(self) -> bool:
        return self._has_vectors and self._embedder.model != ""

    async def _do(self, one: Claimed) -> None:
        """Work on a document until that is done, or nobody wants it any more. Raises StoreUnusable."""
        unusable: StoreUnusable | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, one, tasks.cancel_scope)
            try:
                await self._carry_out(one)
            except StoreUnusable as error:
                unusable = error
            tasks.cancel_scope.cancel()
        if unusable is not None:
            raise unusable

    async def _watch(self, one: Claimed, working: anyio.CancelScope) -> None:
        """End the work on a document that was removed, replaced or cancelled, by whichever process."""
        while True:
            await anyio.sleep(_LOOK_S)
            with contextlib.suppress(StoreUnusable):
                if not await self._store.is_claimed(one, process.this()):
                    working.cancel()
                    return

    async def _carry_out(self, one: Claimed) -> None:
        try:
            if one.state == READING and not await self._read(one):
                return
            why = await self._embed(one) if self._embeds else ""
            if why is not None:
                await self._store.settle(one, READY, why)
        except (StoreBusy, StoreFull, StoreDamaged):
            raise
        except StoreUnusable as error:
            # Once it may be the database; where that goes on, and refuses this one again, it is this one.
            if (key := (one.id, one.digest)) not in self._refused:
                self._refused.add(key)
                raise
            self._refused.discard(key)
            _log.warning("document %s is given up: %s", one.id, error.message)
            await self._store.settle(one, FAILED, _REFUSED)
        except FileUnreadable as error:
            await self._store.settle(one, FAILED, error.message, forgets_source=True)
        except Exception as error:
            # Whatever breaks in one document ends neither the others nor the server.
            _log.warning("document %s failed: %s", one.id, f"{type(error).__name__}: {error}")
            await self._store.settle(one, FAILED, _said(error))

    async def _read(self, one: Claimed) -> bool:
        """Its passages kept; whether it is still wanted. Raises FileUnreadable or OSError."""
        data = one.source
        if data is None:
            if one.folder is None:
                raise FileUnreadable(f"The bytes of {shown(one.name)} are gone. Add it again.")
            folder, name = Path(one.folder), one.name
            data = await anyio.to_thread.run_sync(lambda: files.read(folder, name, most_bytes=DOCUMENT_MOST_BYTES))
        suffix = PurePosixPath(one.name).suffix.lower()
        async with private_folder(self._home) as place:
            source = place / f"document{suffix if _SUFFIX.fullmatch(suffix) else ''}"
            made = place / "parts"
            await anyio.to_thread.run_sync(source.write_bytes, data)
            told = await apart.read("parts", source, made, timeout_s=_READ_S)
            parts = await anyio.to_thread.run_sync(_parts, made)
        rows, characters = await anyio.to_thread.run_sync(_rows, parts)
        return await self._store.read(one, rows, pages=told.get("pages"), characters=characters)

    async def _embed(self, one: Claimed) -> str | None:
        """Vectors for what has none; why some have none in the end. None where it is left for later."""
        until_s = steady_s() + _TURN_S
        while waiting := await self._store.unembedded(one.id, self._embedder.model, _AT_ONCE):
            try:
                vectors = await self._embedder.vectors([text for _, text in waiting])
            except NotEmbedded as error:
                return f"It is found by its words alone: {error}"
            for size_bytes in {len(vector) for vector in vectors}:
                if not await self.turn_width(size_bytes):
                    return _UNEVEN
            pairs = [(number, vector) for (number, _), vector in zip(waiting, vectors, strict=True)]
            if not await self._store.embedded(one, self._embedder.model, pairs):
                return ""
            if steady_s() >= until_s and await self._store.give_way(one):
                return None
        return ""


def _said(error: Exception) -> str:
    if isinstance(error, PaddockError):
        return error.told
    why = (error.strerror if isinstance(error, OSError) else "") or f"{type(error).__name__}: {error}"
    return f"It was not read to its end ({why}). Have it tried again (resume)."


def _parts(made: Path) -> list[dict[str, Any]]:
    with made.open(encoding="ascii") as lines:
        return [json.loads(line) for line in lines]


def _rows(parts: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The passages of parts as they are kept, and how many characters there are. Raises FileUnreadable."""
    rows: list[dict[str, Any]] = []
    if (count := len(passages := cut(parts))) > _PASSAGES_MOST:
        raise FileUnreadable(f"It makes {count} passages, and may make {_PASSAGES_MOST}. Add it in several files.")
    for number, passage in enumerate(passages):
        heard = passage.text if passage.section in passage.text else f"{passage.section} {passage.text}"
        rows.append({**vars(passage), "number": number, "words": " ".join(rows_of(heard))})
    return rows, len(whole_text(parts))
