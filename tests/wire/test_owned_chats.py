"""Tests whose chats are whose: nobody sees, changes or hears of another's, and admins share the machine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from tests.wire.chatting import CHATS, ask, new_chat, say, sent, settled
from tests.wire.rig import HANG_GUARD_S, Rig, scripted_studio
from tests.wire.test_accounts import USERS, enrolled, home_in, page_of

pytestmark = pytest.mark.anyio


async def denied_to(ben: httpx.AsyncClient, hers: dict[str, str]) -> list[httpx.Response]:
    """The answers to whatever could be asked about what is another's."""
    said, answer, file, folder, preset = (hers[name] for name in ("said", "answer", "file", "folder", "preset"))
    one = f"{CHATS}/{hers['chat']}"
    return [
        await ben.get(one),
        await ben.patch(one, json={"title": "Mine"}),
        await ben.delete(one),
        await ben.post(f"{one}/restore"),
        await ben.post(f"{one}/fork", json={"message_id": said}),
        await ben.post(f"{one}/messages", json={"parent_id": None, "role": "user", "content": "x"}),
        await ben.get(f"{one}/messages/{said}"),
        await ben.get(f"{one}/messages/{answer}/prompt"),
        await ben.patch(f"{one}/messages/{said}", json={"content": "x"}),
        await ben.delete(f"{one}/messages/{said}"),
        await ben.post(f"{one}/answers", json={"parent_id": said}),
        await ben.get(f"/api/attachments/{file}"),
        await ben.get(f"/api/attachments/{file}/content"),
        await ben.get(f"/api/attachments/{file}/text"),
        await ben.delete(f"/api/attachments/{file}"),
        await ben.patch(f"/api/folders/{folder}", json={"name": "x"}),
        await ben.delete(f"/api/folders/{folder}"),
        await ben.patch(f"/api/presets/{preset}", json={"name": "x"}),
        await ben.delete(f"/api/presets/{preset}"),
        await ben.post(CHATS, json={"folder_id": folder}),
        await ben.get(f"{CHATS}/export?id={hers['chat']}"),
    ]


async def test_nobody_sees_the_chats_of_another(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="user", ben="user")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
    ):
        hers, his = (Rig(http=http, studio=rig.studio) for http in (anna, ben))
        folder = await sent(hers, "POST", "/api/folders", {"name": "Secret plans"}, 201)
        preset = await sent(hers, "POST", "/api/presets", {"name": "Secret", "settings": {"system": "Hush"}}, 201)
        file = (await anna.post("/api/attachments?name=a.txt", content=b"secret note")).json()
        chat = await new_chat(hers, folder_id=folder["id"], title="Secret chat")
        said = await say(hers, chat, "a secret kumquat")
        answer = (await ask(hers, chat, said))["message"]
        await settled(hers, answer)
        owned = {"chat": chat, "said": said, "answer": answer["id"], "file": file["id"]}
        denied = await denied_to(ben, {**owned, "folder": folder["id"], "preset": preset["id"]})
        assert [answer.status_code for answer in denied] == [404] * len(denied)
        # An id that is taken is not told whose, nor by what.
        taken = [
            await ben.post(CHATS, json={"id": chat}),
            await ben.post("/api/folders", json={"id": folder["id"], "name": "x"}),
            await ben.post("/api/presets", json={"id": preset["id"], "name": "x", "settings": {}}),
            await ben.post(f"/api/attachments?name=a.txt&id={file['id']}", content=b"secret note"),
        ]
        own = await new_chat(his)
        taken.append(
            await ben.post(
                f"{CHATS}/{own}/messages", json={"id": said, "parent_id": None, "role": "user", "content": "x"}
            )
        )
        assert [answer.status_code for answer in taken] == [409] * len(taken)
        lists = [
            *[(await ben.get(path)).text for path in (CHATS, f"{CHATS}?archived=any", "/api/folders", "/api/presets")],
            (await ben.get(f"{CHATS}/search?q=secret")).text,
            (await ben.get(f"{CHATS}/search?q=kumquat&archived=any")).text,
            (await ben.get(f"{CHATS}/export")).text,
        ]
        everything = "".join([*lists, *(answer.text for answer in denied + taken)])
        for word in ("kumquat", "Secret", "secret note", "Hush"):
            assert word not in everything
        # And what is hers is whole.
        assert (await sent(hers, "GET", f"{CHATS}/{chat}"))["title"] == "Secret chat"


async def test_nobody_is_told_what_happens_in_the_chats_of_another(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="user", ben="user")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
        ben.stream("GET", f"{CHATS}/events") as events,
    ):
        hers = (await anna.post(CHATS, json={"title": "of Anna"})).json()["id"]
        await anna.delete(f"{CHATS}/{hers}")
        his = (await ben.post(CHATS, json={"title": "of Ben"})).json()["id"]
        with anyio.fail_after(HANG_GUARD_S):
            async for line in events.aiter_lines():
                assert hers not in line
                if his in line:
                    break


async def test_admins_share_the_chats_of_the_machine_with_whoever_sits_at_it(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        chat = await new_chat(rig, title="made at the machine")
    await enrolled(tmp_path, anna="admin", ben="user")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
    ):
        assert (await anna.get(f"{CHATS}/{chat}")).status_code == 200
        assert (await ben.get(f"{CHATS}/{chat}")).status_code == 404
        made = (await anna.post(CHATS, json={"title": "made by an admin"})).json()["id"]
        bens = (await ben.post(CHATS, json={"title": "made by a user"})).json()["id"]
    async with scripted_studio(tmp_path, warm=False) as rig:
        titles = {one["title"] for one in (await sent(rig, "GET", CHATS))["data"]}
        assert titles == {"made at the machine", "made by an admin"}
        assert (await rig.http.get(f"{CHATS}/{made}")).status_code == 200
        assert (await rig.http.get(f"{CHATS}/{bens}")).status_code == 404


async def test_an_account_takes_its_chats_with_it(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
    ):
        await ben.post(CHATS, json={"title": "a very private title"})
        await ben.post("/api/attachments?name=a.txt", content=b"a very private note")
        await anna.delete(f"{USERS}/ben")
    database, _ = home_in(tmp_path)

    def left(connection: Any) -> list[int]:
        from sqlalchemy import func, select

        from paddock.store.chat_tables import OWNED

        return [connection.execute(select(func.count()).select_from(table)).scalar() for table in OWNED]

    assert await anyio.to_thread.run_sync(database.do, left) == [0, 0, 0, 0]
    await database.close()
