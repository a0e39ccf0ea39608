"""Tests what one document, its model or the database does wrong: it ends neither the others nor the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.caller import LOCAL, acting
from paddock.errors import StoreUnusable
from paddock.knowledge import embedding, indexer
from paddock.knowledge.knowledge import Knowledge
from paddock.knowledge.searching import OTHER_WIDTH
from paddock.reading import apart
from paddock.store import indexing
from paddock.store.db import Database
from paddock.store.indexing import IndexStore
from paddock.store.knowledge import FAILED, KnowledgeStore
from tests.wire.rig import HANG_GUARD_S
from tests.wire.test_knowledge_store import row
from tests.wire.test_knowledge_work import LONG, Model, ended, working

pytestmark = pytest.mark.anyio


class Without(Model):
    """A model whose vectors hold a number of 400 digits."""

    async def send(self, path: str, body: bytes) -> tuple[int, bytes]:
        return 200, b'{"data":[{"index":0,"embedding":[1' + b"0" * 400 + b",1.0]}]}"


async def states(knowledge: Knowledge, collection: str) -> dict[str, tuple[str, str]]:
    await ended(knowledge, collection)
    return {one.name: (one.state, one.error) for one in await knowledge.store.documents(collection)}


async def texts(knowledge: Knowledge, collection: str, query: str) -> list[str]:
    findings = await knowledge.search([collection], query, limit=9, way="words")
    return [hit.passage.text for hit in findings.hits]


async def test_a_vector_with_a_number_of_400_digits_leaves_a_document_that_is_found_by_words(tmp_path: Path) -> None:
    async with working(tmp_path, Without()) as knowledge:
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"hay")
        state, error = (await states(knowledge, one))["a.txt"]
        assert (state, error.startswith("It is found by its words alone: ")) == ("ready", True)
        assert await texts(knowledge, one, "hay") == ["hay"]


async def test_whatever_breaks_in_one_document_fails_it_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = indexer.cut

    def breaks(parts: list[dict[str, Any]]) -> Any:
        if parts[0]["text"] == "bad":
            raise RuntimeError("a\x00broken wheel")
        return real(parts)

    monkeypatch.setattr(indexer, "cut", breaks)
    async with working(tmp_path, Model()) as knowledge:
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"bad")
        await knowledge.add(one, "b.txt", b"hay")
        told = await states(knowledge, one)
        assert {name: state for name, (state, _) in told.items()} == {"a.txt": "failed", "b.txt": "ready"}
        assert "abroken wheel" in told["a.txt"][1]


async def test_what_the_database_refuses_twice_is_failed_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = indexer._rows  # pyright: ignore[reportPrivateUsage]

    def refused(parts: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        rows, characters = real(parts)
        return [{**row, "text": None} for row in rows] if parts[0]["text"] == "bad" else rows, characters

    monkeypatch.setattr(indexer, "_rows", refused)
    monkeypatch.setattr(indexer, "_AGAIN_S", 0.01)
    async with working(tmp_path, Model()) as knowledge:
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"bad")
        await knowledge.add(one, "b.txt", b"hay")
        told = await states(knowledge, one)
        assert {name: state for name, (state, _) in told.items()} == {"a.txt": "failed", "b.txt": "ready"}
        assert "refused twice" in told["a.txt"][1]


async def test_what_failed_by_the_machine_keeps_its_bytes_and_is_read_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ill(*given: Any, **more: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "f.txt").write_text("straw")
    async with working(tmp_path / "home", Model()) as knowledge:
        one, two = (await knowledge.create("One")).id, (await knowledge.create("Two")).id
        with monkeypatch.context() as patched:
            patched.setattr(apart, "read", ill)
            await knowledge.add(one, "a.txt", b"hay")
            await knowledge.follow(two, str(folder))
            for collection, name in ((one, "a.txt"), (two, "f.txt")):
                state, error = (await states(knowledge, collection))[name]
                assert state == "failed"
                assert "Resource temporarily unavailable" in error
        for collection, name, text in ((one, "a.txt", "hay"), (two, "f.txt", "straw")):
            assert await knowledge.resume(collection) == 1
            assert await states(knowledge, collection) == {name: ("ready", "")}
            assert await texts(knowledge, collection, text) == [text]


async def test_the_text_before_is_not_found_where_the_new_one_cannot_be_read_nor_is_that_tried_again(
    tmp_path: Path,
) -> None:
    async with working(tmp_path, Model()) as knowledge:
        one = (await knowledge.create("One")).id
        await knowledge.add(one, "a.txt", b"the old hay")
        await ended(knowledge, one)
        await knowledge.add(one, "a.txt", b"a\x00b")
        assert (await states(knowledge, one))["a.txt"][0] == "failed"
        assert await texts(knowledge, one, "hay") == []
        assert (await knowledge.store.find(one)).passages == 0
        assert await knowledge.resume(one) == 0


async def test_both_databases_keep_what_an_error_says_and_refuse_what_is_none_of_theirs(database: Database) -> None:
    store, index = KnowledgeStore(database), IndexStore(database)
    collection = (await store.create("Farm")).id
    document = await store.put(collection, "a.txt", "d1", 5, b"bytes")
    claimed = await index.claim("1-1", lambda name: True)
    assert claimed is not None
    with pytest.raises(StoreUnusable):
        await index.read(claimed, [{**row(0, "hay"), "text": None}], characters=3)
    await index.settle(claimed, FAILED, "a\x00b\ud800" + "c" * 10_000)
    told = await store.document(document.id)
    assert (told.state, told.error[:4], len(told.error)) == ("failed", "ab?c", 4000)


async def test_a_document_of_many_passages_is_kept_in_several_transactions_and_begun_anew_where_it_broke_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_ROWS_AT_ONCE", 2)
    store, index = KnowledgeStore(database), IndexStore(database)
    collection = (await store.create("Farm")).id
    await store.put(collection, "a.txt", "d1", 5, b"bytes")
    rows = [row(number, "hay") for number in range(5)]
    for broken in (True, False):
        claimed = await index.claim("1-1", lambda name: True)
        assert claimed is not None
        assert claimed.source == b"bytes"
        if broken:
            with pytest.raises(StoreUnusable):
                await index.read(claimed, [*rows[:3], {**rows[3], "text": None}], characters=3)
        else:
            assert await index.read(claimed, rows, characters=15)
        kept = [number for number, _ in await index.unembedded(claimed.id, "ours", 99)]
        assert len(kept) == (await store.find(collection)).passages == (2 if broken else 5)
    # One that was taken from whoever reads it is kept no further.
    await index.cancel(collection)
    assert not await index.read(claimed, rows, characters=15)


async def removed(knowledge: Knowledge, collection: str) -> None:
    await knowledge.store.remove(collection)


async def cancelled(knowledge: Knowledge, collection: str) -> None:
    assert await knowledge.cancel(collection) == 1


async def forgotten(knowledge: Knowledge, collection: str) -> None:
    (document,) = await knowledge.store.documents(collection)
    await knowledge.remove_document(collection, document.id)


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("ends", [removed, cancelled, forgotten])
async def test_work_on_what_is_removed_or_cancelled_ends_and_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: Callable[[Knowledge, str], Awaitable[None]], *, is_read: bool
) -> None:
    monkeypatch.setattr(indexer, "_LOOK_S", 0.01)
    model = Model()
    real = apart.read

    async def held(*given: Any, **more: Any) -> Any:
        model.held.set()
        await anyio.sleep_forever()

    if is_read:
        model.open_for = 0
    else:
        monkeypatch.setattr(apart, "read", held)
    async with working(tmp_path, model) as knowledge:
        one, two = (await knowledge.create("One")).id, (await knowledge.create("Two")).id
        await knowledge.add(one, "a.txt", b"hay")
        with anyio.fail_after(HANG_GUARD_S):
            await model.held.wait()
        model.open_for = 10**6
        monkeypatch.setattr(apart, "read", real)
        await knowledge.add(two, "b.txt", b"straw")
        await ends(knowledge, one)
        assert (await states(knowledge, two))["b.txt"] == ("ready", "")


async def test_a_model_that_never_answers_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_ANSWER_S", 0.05)
    model = Model()
    model.open_for = 0
    async with working(tmp_path, model) as knowledge:
        one = (await knowledge.create("Short")).id
        await knowledge.add(one, "a.txt", b"hay")
        state, error = (await states(knowledge, one))["a.txt"]
        assert (state, error.endswith("gave no vectors within 0.05 s")) == ("ready", True)


@pytest.mark.parametrize("is_searched", [True, False])
async def test_a_model_of_the_same_name_and_another_width_embeds_all_anew(tmp_path: Path, *, is_searched: bool) -> None:
    model = Model()
    async with working(tmp_path, model) as knowledge:
        one = (await knowledge.create("One")).id
        await knowledge.add(one, "a.txt", b"hay")
        await ended(knowledge, one)
    model.width = 5
    async with working(tmp_path, model) as knowledge:
        if is_searched:
            assert (await knowledge.search([one], "hay", limit=3)).note == OTHER_WIDTH
        else:
            await knowledge.add(one, "b.txt", b"straw")
        with anyio.fail_after(HANG_GUARD_S):
            while (
                len((findings := await knowledge.search([one], "hay", limit=3, way="meaning")).hits) < 2 - is_searched
            ):
                await anyio.sleep(0.02)
        assert findings.note == ""
        # One that gives now these and now those is taken at its first word, without end to nothing.
        model.width = 7
        await knowledge.add(one, "c.txt", b"oats")
        state, error = (await states(knowledge, one))["c.txt"]
        assert (state, "several widths" in error) == ("ready", True)


async def test_a_long_document_gives_way_to_another_accounts_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_TURN_S", 0.0)
    model = Model()
    model.open_for = 16
    async with working(tmp_path, model) as knowledge:
        with acting(replace(LOCAL, owner="anna")):
            one = (await knowledge.create("Long")).id
            await knowledge.add(one, "long.txt", LONG)
        with anyio.fail_after(HANG_GUARD_S):
            await model.held.wait()
        knowledge.close()
    model.open_for = 10**6
    async with working(tmp_path, model) as knowledge:
        with acting(replace(LOCAL, owner="ben")):
            two = (await knowledge.create("Short")).id
            await knowledge.add(two, "a.txt", b"hay")
        await ended(knowledge, two)
        told = await ended(knowledge, one)
        assert (told.states, told.embedded) == ({"ready": 1}, told.passages)
        assert len(model.texts) == len(set(model.texts)) == told.passages + 1
        assert model.texts.index("hay") < 60
