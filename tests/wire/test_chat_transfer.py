"""Tests chats that leave paddock as a file and come in: everything is there again, once, or it is told what is not."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.api.chat_shapes import Imported
from tests.fakes.documents import pdf, word
from tests.unit.test_reading import CHATGPT, SHAREGPT, STUDIO, WEBUI
from tests.wire.chatting import CHATS, new_chat, say
from tests.wire.rig import Rig, scripted_studio
from tests.wire.test_chats import picture

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
IMPORT, EXPORT = f"{CHATS}/import", f"{CHATS}/export"


async def bring(rig: Rig, data: bytes, query: str = "") -> Json:
    """What is told of a file that is brought."""
    answer = await rig.http.post(f"{IMPORT}{query}", content=data)
    assert answer.status_code == 200, answer.text
    Imported.model_validate(answer.json())
    found: Json = answer.json()
    return found


async def whole(rig: Rig, chat_id: str) -> Json:
    """A chat with its messages."""
    found: Json = (await rig.http.get(f"{CHATS}/{chat_id}")).json()
    return found


async def filled(rig: Rig) -> str:
    """A chat with a folder, settings, two branches and a picture; its id."""
    folder = (await rig.http.post("/api/folders", json={"name": "Work"})).json()["id"]
    chat = (
        await rig.http.post(CHATS, json={"title": "Tea ☕", "folder_id": folder, "settings": {"system": "Be brief."}})
    ).json()["id"]
    image = (await rig.http.post("/api/attachments?name=red.png", content=picture())).json()["id"]
    asked = [{"type": "image", "attachment_id": image, "name": "red.png"}, {"type": "text", "text": "What is it?"}]
    path = f"{CHATS}/{chat}/messages"
    first = (await rig.http.post(path, json={"parent_id": None, "role": "user", "content": asked})).json()["id"]
    for text in ("Red.", "Blue, *surely*."):
        await rig.http.post(path, json={"parent_id": first, "role": "assistant", "content": text, "model": "m"})
    return chat


async def test_everything_is_there_again_in_another_paddock(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with scripted_studio(tmp_path / "one", warm=False) as rig:
        chat = await filled(rig)
        before = await whole(rig, chat)
        answer = await rig.http.get(EXPORT)
        assert "paddock-chats-" in answer.headers["content-disposition"]
        file = answer.content
        again = await bring(rig, file)
        assert [(one["is_here"], one["is_brought"]) for one in again["chats"]] == [(True, False)]
    async with scripted_studio(tmp_path / "two", warm=False) as rig:
        dry = await bring(rig, file, "?dry_run=true")
        assert [(one["title"], one["message_count"], one["is_brought"]) for one in dry["chats"]] == [
            ("Tea ☕", 3, False)
        ]
        assert (await rig.http.get(CHATS)).json()["data"] == []
        (entry,) = (await bring(rig, file))["chats"]
        assert (entry["is_brought"], entry["fault"], entry["left_out"]) == (True, None, [])
        after = await whole(rig, chat)
        own = ("revision", "draft_revision", "folder_id", "messages")
        assert {k: v for k, v in after.items() if k not in own} == {k: v for k, v in before.items() if k not in own}
        told = ("id", "parent_id", "role", "model", "content", "created_s", "status")
        assert [[one[k] for k in told] for one in after["messages"]] == [
            [one[k] for k in told] for one in before["messages"]
        ]
        assert [one["name"] for one in (await rig.http.get("/api/folders")).json()["data"]] == ["Work"]
        image = before["messages"][0]["content"][0]["attachment_id"]
        assert (await rig.http.get(f"/api/attachments/{image}/content")).content == picture()
        found = (await rig.http.get(f"{CHATS}/search?q=surely")).json()["data"]
        assert [hit["chat_id"] for hit in found] == [chat]
        assert json.loads((await rig.http.get(EXPORT)).content)["chats"] == json.loads(file)["chats"]
        await rig.http.delete(f"{CHATS}/{chat}")
        assert (await bring(rig, file))["chats"][0]["is_brought"] is True


@pytest.mark.parametrize(
    ("file", "form", "count"),
    [(CHATGPT, "chatgpt", 3), (WEBUI, "open-webui", 2), (STUDIO, "lm-studio", 4), (SHAREGPT, "sharegpt", 5)],
)
async def test_chats_of_other_programs_come_in_once(tmp_path: Path, file: Json, form: str, count: int) -> None:
    picture_url = json.dumps([file]).replace("QUJD", base64.b64encode(picture()).decode())
    async with scripted_studio(tmp_path, warm=False) as rig:
        told = await bring(rig, picture_url.encode())
        (entry,) = told["chats"]
        assert (told["format"], entry["message_count"], entry["is_brought"], entry["fault"]) == (
            form,
            count,
            True,
            None,
        )
        chat = await whole(rig, entry["id"])
        assert len(chat["messages"]) == count
        assert chat["title"]
        assert [one["is_here"] for one in (await bring(rig, picture_url.encode()))["chats"]] == [True]
        assert len((await rig.http.get(CHATS)).json()["data"]) == 1


async def test_only_what_is_chosen_comes_in_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    file = [{**CHATGPT, "conversation_id": f"c-{place}"} for place in range(5)]
    file[3] = {
        **file[3],
        "mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": ["x" * 1_000_001]}}}},
    }
    async with scripted_studio(tmp_path, warm=False) as rig:
        told = await bring(rig, json.dumps(file).encode(), "?places=0,2-3")
        assert [one["is_brought"] for one in told["chats"]] == [True, False, True, False, False]
        assert "at most 1000000 characters" in told["chats"][3]["fault"]
        assert len((await rig.http.get(CHATS)).json()["data"]) == 2


async def test_markdown_and_sharegpt_are_of_the_shown_branch(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        chat = await filled(rig)
        await say(rig, await new_chat(rig), "Another")
        text = (await rig.http.get(f"{EXPORT}?format=markdown&id={chat}")).text
        assert text == (
            "# Tea ☕\n\n## User\n\n[image: red.png]\n\nWhat is it?\n\n## Assistant (m)\n\nBlue, *surely*.\n\n"
        )
        lines = (await rig.http.get(f"{EXPORT}?format=sharegpt")).text.splitlines()
        assert len(lines) == 2
        shown = next(json.loads(line) for line in lines if "Tea" in line)
        assert shown["conversations"] == [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "[image: red.png]\nWhat is it?"},
            {"from": "gpt", "value": "Blue, *surely*."},
        ]
        refused = await rig.http.get(f"{EXPORT}?id={'0' * 32}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "chat_not_found")


@pytest.mark.parametrize(
    ("data", "query", "status", "words"),
    [
        (b"", "", 400, "empty"), (b"hello", "", 400, "no JSON"), (b"[" * 200_000, "", 400, "memory|no JSON"),
        (b"[]", "?places=a", 400, "places"), (b"[]", "?places=1-999999", 400, "places"),
        (b"[]", "?dry_run=maybe", 400, "dry_run"), (b"PK\x03\x04", "", 400, "unpacked"),
    ],
)  # fmt: skip
async def test_what_cannot_be_brought_is_refused(
    tmp_path: Path, data: bytes, query: str, status: int, words: str
) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.post(f"{IMPORT}{query}", content=data)
        assert answer.status_code == status
        message = answer.json()["error"]["message"]
        assert any(word in message for word in words.split("|")), message


async def test_own_files_that_were_tampered_with_bring_nothing_wrong(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        chat = await filled(rig)
        file = json.loads((await rig.http.get(EXPORT)).content)
        await rig.http.delete(f"{CHATS}/{chat}")
        good = file["chats"][0]
        message = good["messages"][0]
        bad = [
            {**good, "messages": [{**message, "parent_id": "nobody-there"}]}, {**good, "leaf_id": "nobody-there"},
            {**good, "messages": [message, message]}, {**good, "id": "../etc"}, {**good, "title": 1},
            {**good, "messages": [{**message, "role": "root"}]}, {"id": "x"}, {**good, "created_s": 1e308},
            {**good, "messages": [{**message, "timings": {"total_s": 1}}]},
            {**good, "messages": [{**message, "content": [{"type": "image", "attachment_id": "missing-one"}]}],
             "leaf_id": None},
            {**good, "settings": {"temperature": "hot"}},
        ]  # fmt: skip
        told = await bring(rig, json.dumps({**file, "chats": bad}).encode())
        assert all(one["fault"] and not one["is_brought"] for one in told["chats"]), told
        assert (await rig.http.get(CHATS)).json()["data"] == []


@pytest.mark.parametrize("form", ["pdf", "docx"])
async def test_a_document_becomes_text_for_the_model(tmp_path: Path, form: str) -> None:
    data = pdf("Tea takes three minutes.") if form == "pdf" else word()
    async with scripted_studio(tmp_path) as rig:
        answer = await rig.http.post(f"/api/attachments?name=a.{form}", content=data)
        made = answer.json()
        assert (answer.status_code, made["kind"]) == (201, "document")
        path = f"/api/attachments/{made['id']}"
        text = (await rig.http.get(f"{path}/text")).text
        assert "Tea takes three minutes." in text
        assert made["characters"] == len(text)
        kept = await rig.http.get(f"{path}/content")
        assert (kept.content, kept.headers["content-type"]) == (data, made["media_type"])
        assert "sandbox" in kept.headers["content-security-policy"]
        broken = await rig.http.post("/api/attachments?name=b.pdf", content=data[: len(data) // 4])
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "file_unreadable")
        assert "'b.pdf'" in broken.json()["error"]["message"]


async def test_a_field_that_is_not_known_is_left_out_and_told(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        chat = await filled(rig)
        file = json.loads((await rig.http.get(f"{EXPORT}?id={chat}")).content)
        await rig.http.delete(f"{CHATS}/{chat}")
        changed: Json = {**file, "chats": [{**file["chats"][0], "id": "another-chat", "more": [1]}]}
        for one in changed["chats"][0]["messages"]:
            one["id"] = f"another-{one['id']}"
            one["parent_id"] = one["parent_id"] and f"another-{one['parent_id']}"
        changed["chats"][0]["leaf_id"] = changed["chats"][0]["messages"][0]["id"]
        (told,) = (await bring(rig, json.dumps(changed).encode()))["chats"]
        assert (told["is_brought"], told["left_out"], told["fault"]) == (True, ["the field 'more'"], None)


@pytest.mark.parametrize(
    "declared", ["text/x\r\nSet-Cookie: a=b", "text/\x00", "text/€", "text/html; charset=utf-8", "\ud800"]
)
async def test_what_a_file_says_an_attachment_is_reaches_no_header(tmp_path: Path, declared: str) -> None:
    note = {
        "id": "note-0001",
        "name": "a\ud800.txt",
        "media_type": declared,
        "data": base64.b64encode(b"words").decode(),
    }
    content = [{"type": "document", "attachment_id": "note-0001", "name": "a.txt"}]
    message = {"id": "message-1", "parent_id": None, "role": "user", "content": content}
    chats = [{"id": f"chat-000{n}", "messages": [{**message, "id": f"message-{n}"}]} for n in range(2)]
    file = {"format": "paddock-chats", "version": 1, "chats": chats, "attachments": [note]}
    async with scripted_studio(tmp_path, warm=False) as rig:
        told = await bring(rig, json.dumps(file).encode())
        assert [one["is_brought"] for one in told["chats"]] == [True, True], told
        answer = await rig.http.get("/api/attachments/note-0001/content")
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == "text/plain"
        assert answer.content == b"words"


async def test_many_chats_are_chosen_one_by_one(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Hi"}]
    file = [{"title": f"chat {n}", "conversations": [*turns, {"from": "gpt", "value": str(n)}]} for n in range(900)]
    places = ",".join(str(n) for n in range(0, 900, 2))
    async with scripted_studio(tmp_path, warm=False) as rig:
        told = await bring(rig, json.dumps(file).encode(), f"?places={places},0-3")
        brought = {one["place"] for one in told["chats"] if one["is_brought"]}
        assert brought == {*range(0, 900, 2), 1, 3}
        # Ranges beyond all sense cost nothing.
        wide = ",".join(["0-99999"] * 900)
        assert len((await bring(rig, json.dumps(file).encode(), f"?places={wide}&dry_run=true"))["chats"]) == 900


async def test_whoever_sends_slowly_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        sent, done = anyio.Event(), anyio.Event()

        async def slow() -> AsyncGenerator[bytes]:
            yield b"["
            sent.set()
            await done.wait()
            yield b"]"

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: rig.http.post(IMPORT, content=slow()))
            await sent.wait()
            with anyio.fail_after(60):
                told = await bring(rig, json.dumps(SHAREGPT).encode(), "?dry_run=true")
            assert told["chats"]
            done.set()
