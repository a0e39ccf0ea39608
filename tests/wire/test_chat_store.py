"""Tests the store of the page's chats on both databases, SQLite and a real PostgreSQL, with the same tests."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from paddock.errors import ChatUnknown, Conflict, FieldInvalid
from paddock.store.attachments import Attachment, AttachmentStore
from paddock.store.chat_answers import AnswerStore
from paddock.store.chat_folders import FolderStore
from paddock.store.chat_messages import MessageStore
from paddock.store.chat_rows import Chat, Message
from paddock.store.chat_words import ChatSearch
from paddock.store.chats import ChatStore
from paddock.store.db import Database
from paddock.store.folding import rows_of, terms_of

pytestmark = pytest.mark.anyio


async def made(database: Database, name: str, **fields: Any) -> Chat:
    """A chat with the id `chat-NAME`."""
    row: dict[str, Any] = {"id": f"chat-{name}", "title": name, "created_s": 1.0, "updated_s": 1.0, **fields}
    chat = Chat(**row)
    return (await ChatStore(database).create(chat, rows_of(chat.title)))[0]


async def said(
    database: Database, words: str, parent_id: str | None = None, chat: str = "chat-one", **more: Any
) -> str:
    """A message whose id is made of its words; the id."""
    row: dict[str, Any] = {
        "id": f"m-{words}", "chat_id": chat, "parent_id": parent_id, "role": "user", "created_s": time.time(),
        "updated_s": time.time(), "content": [{"type": "text", "text": words}], **more,
    }  # fmt: skip
    message = Message(**row)
    await MessageStore(database).add(message, words=rows_of(words))
    return message.id


async def ids(database: Database, leaf_id: str | None = None, chat: str = "chat-one") -> list[str]:
    return [message.id for message in (await ChatStore(database).read(chat, leaf_id=leaf_id))[1]]


async def hits(database: Database, query: str, **more: Any) -> list[str]:
    found = await ChatSearch(database).find(terms_of(query), limit=10, **more)
    return [hit.message_id or hit.chat_id for hit in found]


async def test_pages_go_through_all_chats_in_the_order_of_the_list(database: Database) -> None:
    for number in range(23):
        await made(database, f"{number:02}", updated_s=float(number // 3), pinned=number % 7 == 0)
    whole = await ChatStore(database).page(limit=100)
    assert [chat.pinned for chat in whole] == [True] * 4 + [False] * 19
    keys = [(chat.pinned, chat.updated_s, chat.id) for chat in whole]
    assert keys == sorted(keys, reverse=True)
    paged: list[Chat] = []
    while page := await ChatStore(database).page(limit=4, after=keys[len(paged) - 1] if paged else None):
        paged += page
    assert paged == whole


async def test_a_list_is_of_a_folder_of_the_archive_or_of_what_was_deleted(database: Database) -> None:
    store, folders = ChatStore(database), FolderStore(database)
    await folders.create_folder("folder-1", "Work", None)
    await made(database, "in", folder_id="folder-1")
    await made(database, "archived", archived=True)
    await made(database, "deleted")
    await store.delete("chat-deleted", at_s=5.0)
    assert [chat.title for chat in await store.page(limit=9, folder_id="folder-1")] == ["in"]
    assert [chat.title for chat in await store.page(limit=9, folder_id="none", archived="any")] == ["archived"]
    assert [chat.title for chat in await store.page(limit=9, is_deleted=True)] == ["deleted"]
    with pytest.raises(ChatUnknown, match="folder"):
        await made(database, "other", folder_id="nowhere-1")
    await folders.delete_folder("folder-1")
    assert (await store.get("chat-in")).folder_id is None


async def test_a_change_from_an_older_state_is_a_conflict_and_drafts_disturb_nobody(database: Database) -> None:
    store = ChatStore(database)
    await made(database, "one")
    drafted = await store.patch("chat-one", {"draft": {"text": "x", "attachments": []}}, draft_revision=0)
    assert (drafted.revision, drafted.draft_revision) == (1, 1)
    changed = await store.patch("chat-one", {"title": "Two"}, revision=1)
    assert (changed.title, changed.revision) == ("Two", 2)
    with pytest.raises(Conflict) as caught:
        await store.patch("chat-one", {"title": "Three"}, revision=1)
    assert (caught.value.current["title"], caught.value.current["revision"]) == ("Two", 2)
    with pytest.raises(Conflict):
        await store.patch("chat-one", {"draft": None}, draft_revision=0)
    assert (await store.patch("chat-one", {"draft": None})).draft is None


async def test_what_is_made_twice_with_one_id_is_made_once(database: Database) -> None:
    chat = Chat(id="chat-one", title="one", created_s=1.0, updated_s=1.0)
    assert [(await ChatStore(database).create(chat, ()))[1] for _ in range(2)] == [True, False]
    with pytest.raises(Conflict):
        await made(database, "one", title="another")
    message = Message(id="message-1", chat_id="chat-one", parent_id=None, role="user", content=[{"type": "text"}])
    assert [(await MessageStore(database).add(message))[1] for _ in range(2)] == [True, False]
    assert (await ChatStore(database).get("chat-one")).message_count == 1
    with pytest.raises(Conflict):
        await MessageStore(database).add(Message(id="message-1", chat_id="chat-one", parent_id=None, role="tool"))


async def test_messages_are_a_tree_of_which_a_branch_is_read(database: Database) -> None:
    await made(database, "one")
    a = await said(database, "a")
    b = await said(database, "b", a)
    c = await said(database, "c", a)
    d = await said(database, "d", c)
    assert await ids(database) == [a, b, c, d]
    assert await ids(database, b) == [a, b]
    assert await ids(database, "shown") == [a, c, d]
    _, _, siblings = await ChatStore(database).read("chat-one", leaf_id=d)
    assert siblings == {a: [a], c: [b, c], d: [d]}
    with pytest.raises(ChatUnknown):
        await ids(database, "nowhere")
    with pytest.raises(FieldInvalid, match="nowhere"):
        await said(database, "e", "nowhere")
    await made(database, "two")
    with pytest.raises(FieldInvalid):
        await said(database, "f", a, chat="chat-two")


async def test_a_deleted_branch_comes_back_whole_and_the_leaf_follows(database: Database) -> None:
    await made(database, "one")
    a = await said(database, "a")
    b = await said(database, "b", a)
    c = await said(database, "c", a)
    d = await said(database, "d", c)
    store = MessageStore(database)
    chat, gone = await store.delete("chat-one", c, at_s=5.0)
    assert {message.id for message in gone} == {c, d}
    assert (chat.leaf_id, chat.message_count) == (b, 2)
    assert await hits(database, "d") == []
    with pytest.raises(ChatUnknown):
        await store.restore("chat-one", b)
    chat, _ = await store.restore("chat-one", c)
    assert (chat.leaf_id, chat.message_count) == (d, 4)
    assert await ids(database) == [a, b, c, d]
    chat, _ = await store.delete("chat-one", a, at_s=6.0)
    assert (chat.leaf_id, chat.message_count) == (None, 0)


async def test_a_fork_is_a_chat_of_its_own(database: Database) -> None:
    await made(database, "one", settings={"temperature": 0.5})
    a = await said(database, "alpha")
    b = await said(database, "beta", a)
    await said(database, "gamma", b)
    numbers = itertools.count()
    fork = Chat(id="chat-fork", title="fork", created_s=2.0, updated_s=2.0)

    def words_of(message: Message) -> Sequence[str]:
        return rows_of(message.content[0]["text"])

    forked, is_new = await MessageStore(database).fork(
        "chat-one", b, fork, new_id=lambda: f"copy-{next(numbers)}", words_of=words_of, title_words=["fork"]
    )
    assert (is_new, forked.settings, forked.leaf_id, forked.message_count) == (True, {"temperature": 0.5}, "copy-1", 2)
    await ChatStore(database).delete("chat-one", at_s=1.0)
    await ChatStore(database).purge(now_s=time.time())
    _, copies, _ = await ChatStore(database).read("chat-fork")
    assert [(one.id, one.parent_id, one.content[0]["text"]) for one in copies] == [
        ("copy-0", None, "alpha"), ("copy-1", "copy-0", "beta"),
    ]  # fmt: skip
    assert await hits(database, "beta") == ["copy-1"]


async def test_search_finds_beginnings_in_titles_first_and_nothing_that_was_deleted(database: Database) -> None:
    await made(database, "one", title="Der Kaffee von Übermorgen")
    await made(database, "two", title="Other", archived=True)
    a = await said(database, "Ein KAFFEEHAUS in Wien")
    b = await said(database, "kaffee 東京タワー 12abc it's", chat="chat-two")
    assert await hits(database, "kaffee") == ["chat-one", a]
    assert await hits(database, "kaf", archived="any") == ["chat-one", b, a]
    assert await hits(database, "uber von") == ["chat-one"]
    assert await hits(database, "東京", archived="any") == [b]
    assert await hits(database, "京東", archived="any") == []
    assert await hits(database, "12ab it", archived="true") == [b]
    assert await hits(database, "kaffee -- ' OR 1") == []
    assert await hits(database, "kaffee wien haus") == []
    await MessageStore(database).edit(
        "chat-one", a, [{"type": "text", "text": "tea"}], now_s=2.0, words=rows_of("tea"), revision=1
    )
    assert (await hits(database, "tea"), await hits(database, "kaffee")) == ([a], ["chat-one"])
    await ChatStore(database).patch("chat-one", {"title": "Neu"}, words=rows_of("Neu"))
    assert await hits(database, "neu") == ["chat-one"]
    await ChatStore(database).delete("chat-one", at_s=1.0)
    assert await hits(database, "tea") == []
    await ChatStore(database).purge(now_s=time.time())
    with database.engine().connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM chat_words WHERE chat_id = 'chat-one'")).scalar()
        assert left == 0
        if connection.dialect.name == "sqlite":
            # The index is of the words alone: it agrees with them after cascades too.
            connection.execute(text("INSERT INTO chat_search(chat_search, rank) VALUES ('integrity-check', 1)"))


async def test_an_answer_is_written_down_and_settled_by_its_own_worker_alone(database: Database) -> None:
    await made(database, "one")
    parent = await said(database, "question")
    answers = AnswerStore(database)
    begun = await said(
        database, "answer", parent, role="assistant", status="generating", worker="w1", response_id="resp_1", content=[]
    )
    message = await MessageStore(database).get("chat-one", begun)
    assert (await ChatStore(database).get("chat-one")).is_generating
    with pytest.raises(Conflict, match="Stop it"):
        await MessageStore(database).edit("chat-one", begun, [], now_s=1.0, words=())
    await answers.write_down({begun: [{"type": "text", "text": "par"}]}, worker="w2", now_s=2.0)
    assert [one.content for one in await answers.unfinished()] == [[]]
    await answers.write_down({begun: [{"type": "text", "text": "par"}]}, worker="w1", now_s=2.0)
    await answers.write_down({begun: None}, worker="w1", now_s=3.0)
    (left,) = await answers.unfinished()
    assert (left.content[0]["text"], left.beat_s) == ("par", 3.0)
    going = await answers.go_on(left, worker="w2", now_s=4.0, response_id="resp_2", tries=1)
    with pytest.raises(Conflict):
        await answers.go_on(left, worker="w3", now_s=4.0, response_id="resp_3")
    assert await answers.settle(message, ["late"], status="failed", content=[], updated_s=5.0) is None
    done = await answers.settle(going, ["partial"], status="complete", content=[{"type": "text"}], updated_s=5.0)
    assert done is not None
    assert (done.status, done.worker, await answers.unfinished()) == ("complete", None, [])
    assert await hits(database, "partial") == [begun]
    assert not (await ChatStore(database).get("chat-one")).is_generating


async def test_attachments_stay_as_long_as_a_chat_that_holds_them(database: Database) -> None:
    store = AttachmentStore(database)

    async def put(name: str) -> None:
        one = Attachment(
            id=name, kind="image", name="a.png", media_type="image/png", size_bytes=2, created_s=1.0, digest="d"
        )
        await store.put(one, b"\x00\xff", None)

    await put("attachment-1")
    await put("attachment-2")
    await put("attachment-1")
    with pytest.raises(Conflict):
        await store.put(Attachment(id="attachment-1", kind="image", name="b", media_type="image/png", size_bytes=1,
                                   created_s=1.0, digest="e"), b"", None)  # fmt: skip
    await made(database, "one")
    await said(database, "look", content=[{"type": "image", "attachment_id": "attachment-1"}])
    with pytest.raises(FieldInvalid, match="attachment-9"):
        await said(database, "none", content=[{"type": "image", "attachment_id": "attachment-9"}])
    with pytest.raises(Conflict, match="chat-one"):
        await store.delete("attachment-1")
    await ChatStore(database).purge(now_s=time.time())
    assert (await store.content("attachment-1"))[1] == b"\x00\xff"
    thread = await AnswerStore(database).thread("chat-one", "m-look")
    assert thread.attached["attachment-1"].data == b"\x00\xff"
    with pytest.raises(ChatUnknown):
        await store.get("attachment-2")
    await ChatStore(database).delete("chat-one", at_s=1.0)
    await ChatStore(database).purge(now_s=time.time())
    await ChatStore(database).purge(now_s=time.time())
    with pytest.raises(ChatUnknown):
        await store.get("attachment-1")
