"""Tests the work behind collections before an embedding model of its own: broken off, cancelled, gone on with."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.caller import PADDOCK, acting
from paddock.config import load
from paddock.errors import KnowledgeUnknown
from paddock.knowledge.knowledge import Knowledge
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.indexing import IndexStore
from tests.wire.rig import HANG_GUARD_S

pytestmark = pytest.mark.anyio


class Model:
    """An embedding model that counts what it is asked, and may be held or fail."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.open_for = 10**6
        self.status = 200
        self.held = anyio.Event()
        self.width = 3

    async def send(self, path: str, body: bytes) -> tuple[int, bytes]:
        texts = json.loads(body)["input"]
        if self.status != 200:
            return self.status, json.dumps({"error": {"message": "The model is ill."}}).encode()
        if self.open_for < len(texts):
            self.held.set()
            await anyio.sleep_forever()
        self.open_for -= len(texts)
        self.texts += texts
        rest = [0.0] * (self.width - 2)
        rows = [{"index": place, "embedding": [1.0, len(text) / 100, *rest]} for place, text in enumerate(texts)]
        return 200, json.dumps({"data": rows}).encode()


@asynccontextmanager
async def working(home: Path, model: Model) -> AsyncGenerator[Knowledge]:
    """The room alone, before a model of the test's own."""
    settings = load({"port": 0, "knowledge_model": "ours"}, environ={"PADDOCK_HOME": str(home)})
    settings.home.ensure()
    database = Database("", settings.home)
    knowledge = Knowledge(settings, database)
    knowledge.embedder.send = model.send
    try:
        with acting(PADDOCK):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(knowledge.carry_on)
                yield knowledge
                knowledge.close()
    finally:
        await database.close()


async def ended(knowledge: Knowledge, collection: str) -> Any:
    with anyio.fail_after(HANG_GUARD_S):
        while not set((told := await knowledge.store.find(collection)).states) <= {"ready", "failed", "cancelled"}:
            await anyio.sleep(0.02)
    return told


LONG = "\n\n".join(f"Paragraph {number}. {'word ' * 120}" for number in range(60)).encode()


async def test_work_that_ends_in_the_midst_goes_on_where_it_was_and_nothing_is_embedded_twice(tmp_path: Path) -> None:
    model = Model()
    model.open_for = 40
    async with working(tmp_path, model) as knowledge:
        one = (await knowledge.create("Long")).id
        await knowledge.add(one, "long.txt", LONG)
        with anyio.fail_after(HANG_GUARD_S):
            await model.held.wait()
        told = await knowledge.store.find(one)
        assert told.states == {"embedding": 1}
        assert told.embedded == len(model.texts) == 32
    model.open_for = 10**6
    async with working(tmp_path, model) as knowledge:
        told = await ended(knowledge, one)
        assert (told.states, told.embedded) == ({"ready": 1}, told.passages)
        assert len(model.texts) == len(set(model.texts)) == told.passages >= 60
        findings = await knowledge.search([one], "Paragraph 7", limit=3)
        assert findings.note == ""
        assert findings.hits[0].meaning_rank is not None


async def test_work_is_cancelled_keeps_what_was_done_and_is_taken_up_again(tmp_path: Path) -> None:
    model = Model()
    model.open_for = 20
    async with working(tmp_path, model) as knowledge:
        one = (await knowledge.create("Long")).id
        await knowledge.add(one, "long.txt", LONG)
        with anyio.fail_after(HANG_GUARD_S):
            await model.held.wait()
        await knowledge.add(one, "next.txt", b"hay")
        assert await knowledge.cancel(one) == 2
        assert (await ended(knowledge, one)).states == {"cancelled": 2}
        assert (await knowledge.search([one], "Paragraph 7", limit=3, way="words")).hits
    model.open_for = 10**6
    async with working(tmp_path, model) as knowledge:
        assert (await knowledge.store.find(one)).states == {"cancelled": 2}
        assert await knowledge.resume(one) == 2
        told = await ended(knowledge, one)
        assert (told.states, told.embedded) == ({"ready": 2}, told.passages)
        assert len(model.texts) == len(set(model.texts)) == told.passages


async def test_a_model_that_fails_leaves_documents_that_are_found_by_words(tmp_path: Path) -> None:
    model = Model()
    model.status = 404
    async with working(tmp_path, model) as knowledge:
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"hay")
        assert (await ended(knowledge, one)).states == {"ready": 1}
        (document,) = await knowledge.store.documents(one)
        assert document.error == "It is found by its words alone: The model is ill."
        findings = await knowledge.search([one], "hay", limit=3)
        assert ([hit.passage.text for hit in findings.hits], "The model is ill." in findings.note) == (["hay"], True)
        model.status = 200
        await knowledge.resume(one)
        assert (await ended(knowledge, one)).embedded == 1


async def test_a_document_that_another_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    model = Model()
    async with working(tmp_path, model) as knowledge:
        knowledge.close()
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"hay")
        database = Database("", Home(root=tmp_path))
        store = IndexStore(database)
        first = await store.claim("1-1", lambda name: True)
        assert first is not None
        assert await store.claim("2-2", lambda name: True) is None
        second = await store.claim("2-2", lambda name: False)
        assert second is not None
        assert second.id == first.id
        with pytest.raises(KnowledgeUnknown):
            await knowledge.store.document("doc_none")
        await database.close()
