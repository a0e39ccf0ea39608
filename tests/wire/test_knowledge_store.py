"""Tests the rows of collections in both databases: how passages are kept, found, and go with what held them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paddock.caller import LOCAL, acting
from paddock.errors import KnowledgeUnknown
from paddock.store.db import Database
from paddock.store.folding import rows_of
from paddock.store.indexing import IndexStore
from paddock.store.knowledge import READY, KnowledgeStore
from paddock.store.passages import PassageStore
from tests.wire.test_knowledge_work import Model

pytestmark = pytest.mark.anyio
TEXTS = ("The llamas were eating hay.", "Käse und Öfen", "日本語の本", "The barn holds no animals.")


def row(number: int, text: str) -> dict[str, Any]:
    return {
        "number": number, "page": None, "section": "", "first": 0, "last": len(text), "text": text,
        "words": " ".join(rows_of(text)),
    }  # fmt: skip


async def test_passages_are_found_by_words_of_any_form_the_best_first_and_go_with_their_collection(
    database: Database,
) -> None:
    store, index, passages = KnowledgeStore(database), IndexStore(database), PassageStore(database)
    with acting(LOCAL):
        collection = (await store.create("Farm")).id
        other = (await store.create("Other")).id
        await store.put(collection, "a.txt", "d1", 5, b"bytes")
        claimed = await index.claim("1-1", lambda name: True)
        assert claimed is not None
        assert claimed.source == b"bytes"
        assert await index.read(claimed, [row(number, text) for number, text in enumerate(TEXTS)], characters=9)
        await index.settle(claimed, READY)

        async def said(words: str) -> list[str]:
            numbers = await passages.by_words([collection], words.split(), 10)
            return [one.text for one in await passages.told(numbers)]

        assert await said("llama") == [TEXTS[0]]
        assert await said("kase") == [TEXTS[1]]
        assert await said("本") == [TEXTS[2]]
        assert await said("barn hay animal") == [TEXTS[3], TEXTS[0]]
        assert await said("sheep") == []
        assert await passages.by_words([other], ["llama"], 10) == []
        assert (await store.find(collection)).passages == len(TEXTS)
        await store.remove(collection)
        assert await passages.by_words([collection], ["llama"], 10) == []


async def test_vectors_are_compared_where_the_database_can_and_each_model_has_its_own(database: Database) -> None:
    store, index, passages = KnowledgeStore(database), IndexStore(database), PassageStore(database)
    from paddock.knowledge.embedding import Embedder

    model = Model()
    embedder = Embedder(model="ours", send=model.send)
    with acting(LOCAL):
        collection = (await store.create("Farm")).id
        await store.put(collection, "a.txt", "d1", 5, b"bytes")
        claimed = await index.claim("1-1", lambda name: True)
        assert claimed is not None
        await index.read(claimed, [row(number, text) for number, text in enumerate(TEXTS)], characters=9)
        waiting = await index.unembedded(claimed.id, "ours", 10)
        vectors = await embedder.vectors([text for _, text in waiting])
        pairs = [(number, vector) for (number, _), vector in zip(waiting, vectors, strict=True)]
        assert await index.embedded(claimed, "ours", pairs)
        assert await index.unembedded(claimed.id, "ours", 10) == []
        assert len(await index.unembedded(claimed.id, "theirs", 10)) == len(TEXTS)
        await index.settle(claimed, READY)
        assert (await store.find(collection)).embedded == len(TEXTS)
        if await passages.has_vectors():
            (asked,) = await embedder.vectors([TEXTS[2]])
            nearest = await passages.nearest([collection], "ours", asked, 1)
            assert [one.text for one in await passages.told(nearest)] == [TEXTS[2]]
            assert await passages.nearest([collection], "theirs", asked, 1) == []
        # Another model embeds all anew.
        assert await index.turn_to("ours") == 0
        assert await index.turn_to("theirs") == 1


async def test_a_claim_looks_at_few_documents_and_takes_the_bytes_of_one(database: Database) -> None:
    from sqlalchemy import event

    store, index = KnowledgeStore(database), IndexStore(database)
    collection = (await store.create("Farm")).id
    for number in range(3):
        await store.put(collection, f"{number}.txt", f"d{number}", 5, b"bytes")
    asked: list[str] = []
    engine = database.engine()
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(str(given[2])))
    claimed = await index.claim("1-1", lambda name: True)
    assert claimed is not None
    assert (claimed.name, claimed.state, claimed.source) == ("0.txt", "reading", b"bytes")
    looks = [one for one in asked if one.startswith("SELECT") and "knowledge_documents" in one]
    assert len(looks) == 3
    assert all("GROUP BY" in one or "LIMIT" in one or "knowledge_documents.id =" in one for one in looks)
    assert [one for one in looks if "source" in one] == looks[2:]
    # What another process holds is passed over.
    next_one = await index.claim("2-2", lambda name: True)
    assert next_one is not None
    assert next_one.name == "1.txt"


async def test_the_number_of_a_passage_that_is_gone_is_given_to_no_other(database: Database) -> None:
    store, index, passages = KnowledgeStore(database), IndexStore(database), PassageStore(database)
    collection = (await store.create("Farm")).id

    async def kept(name: str, text: str) -> tuple[str, int]:
        document = await store.put(collection, name, name, 5, b"bytes")
        claimed = await index.claim("1-1", lambda name: True)
        assert claimed is not None
        await index.read(claimed, [row(0, text)], characters=9)
        await index.settle(claimed, READY)
        ((number, _),) = await index.unembedded(document.id, "ours", 9)
        return document.id, number

    gone, cited = await kept("a.txt", "hay")
    await store.remove_documents([gone])
    _, later = await kept("b.txt", "straw")
    assert later > cited
    with pytest.raises(KnowledgeUnknown):
        await passages.around(cited, 1)


async def test_accounts_take_turns_however_many_documents_one_adds(database: Database) -> None:
    store, index = KnowledgeStore(database), IndexStore(database)
    for owner, count in (("anna", 4), ("ben", 2), ("cara", 1)):
        with acting(replace(LOCAL, owner=owner)):
            collection = (await store.create("Farm")).id
            for number in range(count):
                await store.put(collection, f"{owner}{number}", f"d{number}", 5, b"bytes")
    names: list[str] = []
    while (claimed := await index.claim("1-1", lambda name: True)) is not None:
        names.append(claimed.name)
        await index.settle(claimed, READY)
    assert names == ["anna0", "ben0", "cara0", "anna1", "ben1", "anna2", "anna3"]
