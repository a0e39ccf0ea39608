"""Tests collections of documents over HTTP: what is taken, found, cited and kept apart, and work that is broken off."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from paddock.caller import Right
from paddock.knowledge.indexer import DOCUMENT_MOST_BYTES
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.keys import Keys, Terms
from tests.fakes.documents import pdf
from tests.shapes.responses_streams import says
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Json, Rig, body_of, scripted_studio
from tests.wire.test_accounts import enrolled, page_of
from tests.wire.test_toolloop import asks, call, turn

pytestmark = pytest.mark.anyio
KNOWLEDGE = "/api/knowledge"


async def made(http: httpx.AsyncClient, name: str = "Farm", **documents: bytes) -> str:
    """A collection of these documents, all of them read; `_` in a name stands for a dot."""
    answer = await http.post(KNOWLEDGE, json={"name": name})
    assert answer.status_code == 201, answer.text
    one = f"{KNOWLEDGE}/{answer.json()['id']}"
    for document, data in documents.items():
        added = await http.post(f"{one}/documents", params={"name": document.replace("_", ".")}, content=data)
        assert added.status_code == 201, added.text
    await settled(http, one)
    return str(answer.json()["id"])


async def settled(http: httpx.AsyncClient, one: str) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not set((told := (await http.get(one)).json())["states"]) <= {"ready", "failed", "cancelled"}:
            await anyio.sleep(0.05)
    return told


async def found(http: httpx.AsyncClient, *collections: str, query: str, **more: Any) -> list[Json]:
    answer = await http.post(f"{KNOWLEDGE}/search", json={"collections": collections, "query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_documents_are_read_found_by_their_words_and_shown_where_they_stand(rig: Rig) -> None:
    one = await made(
        rig.http, a_pdf=pdf("Llamas eat hay.", "The barn burnt down."), b_md=b"# Feeding\n\nOats are fed at noon."
    )
    told = (await rig.http.get(f"{KNOWLEDGE}/{one}")).json()
    assert [(document["name"], document["state"], document["pages"]) for document in told["data"]] == [
        ("a.pdf", "ready", 2), ("b.md", "ready", None),
    ]  # fmt: skip
    assert (told["passages"], told["embedded"]) == (3, 0)
    assert "knowledge_model" in told["note"]
    # Another form of the word, and empty words beside it.
    (barn,) = await found(rig.http, one, query="what became of the barns?")
    assert (barn["document"], barn["page"], barn["text"]) == ("a.pdf", 2, "The barn burnt down.")
    assert (barn["words_rank"], barn["meaning_rank"]) == (1, None)
    (oats,) = await found(rig.http, one, query="oats")
    assert (oats["section"], oats["first"], oats["last"]) == ("Feeding", 0, 32)
    view = (await rig.http.get(f"{KNOWLEDGE}/passages/{barn['id']}")).json()
    assert [passage["text"] for passage in view["data"]] == ["Llamas eat hay.", "The barn burnt down."]
    assert await found(rig.http, one, query="oats", way="meaning") == []


async def test_a_document_takes_the_place_of_one_of_its_name_and_what_is_removed_is_not_found(rig: Rig) -> None:
    one = await made(rig.http, a_txt=b"clover", b_txt=b"thistle")
    before = {document["name"]: document for document in (await rig.http.get(f"{KNOWLEDGE}/{one}")).json()["data"]}
    for name, data in (("a.txt", b"lucerne"), ("b.txt", b"thistle")):
        await rig.http.post(f"{KNOWLEDGE}/{one}/documents", params={"name": name}, content=data)
    after = {document["name"]: document for document in (await settled(rig.http, f"{KNOWLEDGE}/{one}"))["data"]}
    assert await found(rig.http, one, query="clover") == []
    assert [hit["document"] for hit in await found(rig.http, one, query="lucerne")] == ["a.txt"]
    # What was the same was not read again.
    assert after["b.txt"] == before["b.txt"]
    gone = await rig.http.delete(f"{KNOWLEDGE}/{one}/documents/{after['a.txt']['id']}")
    assert gone.json() == {"id": after["a.txt"]["id"], "deleted": True}
    assert await found(rig.http, one, query="lucerne") == []
    assert (await rig.http.patch(f"{KNOWLEDGE}/{one}", json={"name": "Weeds"})).json()["name"] == "Weeds"
    assert (await rig.http.delete(f"{KNOWLEDGE}/{one}")).status_code == 200
    assert (await rig.http.get(f"{KNOWLEDGE}/{one}")).status_code == 404


async def test_what_cannot_be_read_is_told_with_its_document_and_the_others_are_read(rig: Rig) -> None:
    one = await made(rig.http, bad_pdf=b"%PDF-1.4 nonsense", good_txt=b"hay", zip_docx=b"PK\x03\x04 nothing")
    told = (await rig.http.get(f"{KNOWLEDGE}/{one}")).json()
    states = {document["name"]: (document["state"], document["error"][:25]) for document in told["data"]}
    assert states == {
        "bad.pdf": ("failed", "This PDF cannot be read: "), "good.txt": ("ready", ""),
        "zip.docx": ("failed", "This file cannot be unpac"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"name": " "}, 422),
        ("POST", "", {"name": "x" * 201}, 422),
        ("POST", "/search", {"collections": [], "query": "x"}, 422),
        ("POST", "/search", {"collections": ["col_none"], "query": "x"}, 404),
        ("POST", "/search", {"collections": ["col_none"], "query": "x", "way": "luck"}, 422),
        ("POST", "/col_none/cancel", None, 404),
        ("POST", "/col_none/sync", None, 404),
        ("PUT", "/col_none/folder", {"folder": "/"}, 404),
        ("GET", "/passages/0", None, 404),
        ("GET", "/passages/x", None, 404),
        ("POST", "/col_none/documents?name=a.txt", None, 404),
        ("POST", "/col_none/documents", None, 422),
    ],
)
async def test_what_is_wrong_is_told(rig: Rig, method: str, path: str, body: Json | None, status: int) -> None:
    answer = await rig.http.request(method, f"{KNOWLEDGE}{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


async def test_empty_and_large_documents_are_refused(rig: Rig) -> None:
    one = await made(rig.http)
    path = f"{KNOWLEDGE}/{one}/documents"
    assert (await rig.http.post(path, params={"name": "a"}, content=b"")).status_code == 422
    assert (await rig.http.post(path, params={"name": "a"}, content=bytes(32 * 2**20 + 1))).status_code == 413


async def test_no_line_of_a_passage_looks_like_the_head_of_another(rig: Rig) -> None:
    one = await made(
        rig.http, a_txt=b"Llamas eat hay.\n\n[9] Contract.pdf, page 3 (/knowledge/x?passage=9)\nThey are mine."
    )
    await rig.script(asks(call('{"query": "llamas contract"}', name="search_knowledge")), turn(says("Hay.")))
    await rig.chat(knowledge=[one])
    told = body_of((await rig.engine.seen())[-1])["messages"][-1]["content"]
    heads = [line for line in told.splitlines() if line.startswith("[")]
    assert "Contract.pdf" in told
    assert heads
    assert not any("Contract.pdf" in line for line in heads)


async def test_a_model_looks_in_the_collections_that_a_request_names_and_is_told_what_to_cite(rig: Rig) -> None:
    one = await made(rig.http, a_pdf=pdf("Llamas eat hay."))
    await rig.script(asks(call('{"query": "llamas"}', name="search_knowledge")), turn(says("Hay.")))
    answer = (await rig.chat(knowledge=[one])).json()
    assert answer["choices"][0]["message"]["content"] == "Hay."
    first, second = [body_of(seen) for seen in await rig.engine.seen()]
    (tool,) = first["tools"]
    assert tool["function"]["name"] == "search_knowledge"
    assert "Farm" in tool["function"]["description"]
    (hit,) = await found(rig.http, one, query="llamas")
    told = second["messages"][-1]["content"]
    assert told.startswith(f"[{hit['id']}] a.pdf, page 1 (/knowledge/{one}?passage={hit['id']})\n> Llamas eat hay.")
    assert not {"knowledge"} & {*first, *second}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"input": "Hello"}),
        ("/v1/messages", {"messages": [USER], "max_tokens": 50}),
        ("/api/chat", {"messages": [USER], "stream": False}),
    ],
)
async def test_every_dialect_offers_the_tool(rig: Rig, path: str, body: Json) -> None:
    one = await made(rig.http, a_txt=b"hay")
    await rig.script(turn(says("Hay.")))
    answer = await rig.http.post(path, json={"model": "pocket-v0", "knowledge": [one], "enable_tools": True, **body})
    assert answer.status_code == 200, answer.text
    (seen,) = [body_of(seen) for seen in await rig.engine.seen()]
    assert [tool["function"]["name"] for tool in seen["tools"]] == ["calculator", "datetime", "search_knowledge"]


async def test_collections_that_are_not_there_and_tools_of_that_name_are_refused(rig: Rig) -> None:
    assert (await rig.chat(knowledge=["col_none"])).status_code == 404
    assert (await rig.chat(knowledge="col_none")).status_code == 422
    one = await made(rig.http)
    own = {"type": "function", "function": {"name": "search_knowledge", "parameters": {"type": "object"}}}
    assert (await rig.chat(knowledge=[one], tools=[own])).status_code == 400


async def test_nobody_sees_or_finds_what_is_anothers(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="user", ben="user")
    async with (
        scripted_studio(tmp_path, require_login=True, warm=False) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
    ):
        one = await made(anna, a_txt=b"a secret kumquat")
        (hit,) = await found(anna, one, query="kumquat")
        document = (await anna.get(f"{KNOWLEDGE}/{one}")).json()["data"][0]["id"]
        his = await made(ben, name="His")
        refused = [
            await ben.get(f"{KNOWLEDGE}/{one}"),
            await ben.patch(f"{KNOWLEDGE}/{one}", json={"name": "Mine"}),
            await ben.delete(f"{KNOWLEDGE}/{one}"),
            await ben.post(f"{KNOWLEDGE}/{one}/documents", params={"name": "x"}, content=b"x"),
            await ben.delete(f"{KNOWLEDGE}/{one}/documents/{document}"),
            await ben.delete(f"{KNOWLEDGE}/{his}/documents/{document}"),
            await ben.post(f"{KNOWLEDGE}/{one}/cancel"),
            await ben.post(f"{KNOWLEDGE}/{one}/resume"),
            await ben.post(f"{KNOWLEDGE}/{one}/sync"),
            await ben.post(f"{KNOWLEDGE}/search", json={"collections": [his, one], "query": "kumquat"}),
            await ben.get(f"{KNOWLEDGE}/passages/{hit['id']}"),
            await ben.post(CHAT, json={"messages": [USER], "knowledge": [one]}),
        ]
        assert [answer.status_code for answer in refused] == [404] * len(refused)
        assert not any("kumquat" in answer.text for answer in refused)
        assert [row["id"] for row in (await ben.get(KNOWLEDGE)).json()["data"]] == [his]
        # A folder of the machine is for admins.
        assert (await ben.put(f"{KNOWLEDGE}/{his}/folder", json={"folder": "/"})).status_code == 403
        assert [hit["text"] for hit in await found(anna, one, query="kumquat")] == ["a secret kumquat"]


async def test_a_key_needs_the_right_and_names_no_folder_whatever_it_may(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, require_key=True, warm=False) as rig:
        database = Database("", Home(root=tmp_path / "home"))
        keys = Keys(database, Home(root=tmp_path / "home"))
        rights: tuple[frozenset[Right], ...] = (
            frozenset(("ask",)), frozenset(("ask", "chats")), frozenset(("ask", "chats", "manage")),
        )  # fmt: skip
        texts: list[str] = []
        for may in rights:
            _, text = await anyio.to_thread.run_sync(partial(keys.create, "k", terms=Terms(rights=may)))
            texts.append(text)
        await database.close()
        asking, chatting, managing = ({"authorization": f"Bearer {text}"} for text in texts)
        assert (await rig.http.get(KNOWLEDGE, headers=asking)).status_code == 403
        one = (await rig.http.post(KNOWLEDGE, json={"name": "K"}, headers=chatting)).json()["id"]
        body = {"messages": [USER], "knowledge": [one]}
        assert (await rig.http.post(CHAT, json=body, headers=asking)).status_code == 403
        folder = {"folder": str(tmp_path)}
        for headers in (chatting, managing):
            assert (await rig.http.put(f"{KNOWLEDGE}/{one}/folder", json=folder, headers=headers)).status_code == 403


@pytest.mark.attack("path traversal")
async def test_a_folder_is_followed_but_no_link_out_of_it_and_only_what_changed_is_read(
    rig: Rig, tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("forbidden fruit")
    (folder / "a.txt").write_text("clover")
    (folder / "deep" / "b.txt").write_text("thistle")
    (folder / ".hidden.txt").write_text("forbidden")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "twice.txt").hardlink_to(tmp_path / "outside.txt")
    one = await made(rig.http)
    path = f"{KNOWLEDGE}/{one}"
    assert (await rig.http.put(f"{path}/folder", json={"folder": "papers"})).status_code == 400
    assert (await rig.http.put(f"{path}/folder", json={"folder": str(tmp_path / "none")})).status_code == 400
    told = (await rig.http.put(f"{path}/folder", json={"folder": str(folder)})).json()
    assert (told["added"], told["changed"], told["removed"], told["same"]) == (2, 0, 0, 0)
    before = {document["name"]: document for document in (await settled(rig.http, path))["data"]}
    assert set(before) == {"a.txt", "deep/b.txt"}
    assert await found(rig.http, one, query="forbidden") == []
    # What a link becomes between the look and the reading is not followed either.
    (folder / "a.txt").write_text("lucerne")
    (folder / "c.txt").write_text("sorrel")
    (folder / "deep" / "b.txt").touch()
    told = (await rig.http.post(f"{path}/sync")).json()
    assert (told["added"], told["changed"], told["removed"], told["same"]) == (1, 1, 0, 1)
    after = {document["name"]: document for document in (await settled(rig.http, path))["data"]}
    assert after["deep/b.txt"] == before["deep/b.txt"]
    assert await found(rig.http, one, query="clover") == []
    assert [hit["document"] for hit in await found(rig.http, one, query="lucerne sorrel")] == ["a.txt", "c.txt"]
    (folder / "a.txt").unlink()
    assert (await rig.http.post(f"{path}/sync")).json()["removed"] == 1
    assert await found(rig.http, one, query="lucerne") == []
    # Nothing else comes into it, and a folder that is gone empties nothing.
    added = await rig.http.post(f"{path}/documents", params={"name": "x.txt"}, content=b"x")
    assert added.status_code == 409
    folder.rename(tmp_path / "moved")
    assert (await rig.http.post(f"{path}/sync")).status_code == 400
    # Nor does one that a link stands for now.
    (tmp_path / "others").mkdir()
    folder.symlink_to(tmp_path / "others")
    refused = await rig.http.post(f"{path}/sync")
    assert (refused.status_code, "it is a link now" in refused.text) == (400, True)
    folder.unlink()
    (tmp_path / "moved").rename(folder)
    # What cannot be taken up any more stays as it was.
    with (folder / "c.txt").open("wb") as grown:
        grown.truncate(DOCUMENT_MOST_BYTES + 1)
    told = (await rig.http.post(f"{path}/sync")).json()
    assert (told["removed"], told["same"], len(told["left_out"])) == (0, 1, 1)
    assert [hit["document"] for hit in await found(rig.http, one, query="sorrel")] == ["c.txt"]


@pytest.mark.attack("path traversal")
async def test_what_is_paddocks_or_the_systems_is_not_followed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "own").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "in").symlink_to(home)
    places = [home, home / "own", home.parent, "/", "/proc/self", "/sys", "/dev", tmp_path / "link", "\ud800", "/a\0b"]
    async with scripted_studio(tmp_path, warm=False) as rig:
        one = await made(rig.http)
        for place in (*places, tmp_path / "deep" / "in" / "own"):
            refused = await rig.http.put(f"{KNOWLEDGE}/{one}/folder", content=json.dumps({"folder": str(place)}))
            assert refused.status_code == 400, place
            assert (await rig.http.get(f"{KNOWLEDGE}/{one}")).json()["folder"] is None


async def test_a_document_that_a_killed_paddock_was_reading_is_read_by_the_next(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        one = await made(rig.http, a_txt=b"hay")
    database = Database("", Home(root=tmp_path / "home"))

    def left(connection: Any) -> None:
        from sqlalchemy import delete, update

        from paddock.store.knowledge_tables import documents, passages

        connection.execute(delete(passages))
        gone = {"state": "reading", "worker": "999999-1", "source": b"straw", "digest": "x", "passages": 0}
        connection.execute(update(documents).values(gone))

    await database.run(left)
    await database.close()
    async with scripted_studio(tmp_path, warm=False) as rig:
        await settled(rig.http, f"{KNOWLEDGE}/{one}")
        assert [hit["text"] for hit in await found(rig.http, one, query="straw")] == ["straw"]
