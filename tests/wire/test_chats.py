"""Tests the routes of the page's chats: what they answer, as described, and what they refuse."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from paddock.api import attachments, chat_folders, chat_messages, chats
from paddock.api.described import Error, Operation
from tests.wire.chatting import CHATS, ask, events_of, new_chat, say, sent, settled
from tests.wire.rig import HANG_GUARD_S, Rig, body_of, scripted_studio

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
TOLD: Mapping[str, Operation] = {
    name: told for room in (chats, chat_messages, chat_folders, attachments) for name, told in room.OPERATIONS.items()
}


def picture(size: tuple[int, int] = (3, 2)) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", size, "red").save(packed, format="PNG")
    return packed.getvalue()


class Asker:
    """Asks each route once and reads its answer by the schema of its description."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.asked: set[str] = set()

    async def __call__(self, name: str, path: str, body: Json | None = None, content: bytes | None = None) -> Json:
        self.asked.add(name)
        told = TOLD[name]
        answer = await self.rig.http.request(name.partition(" ")[0], path, json=body, content=content)
        assert answer.status_code == told.status, answer.text
        if told.answer is None:
            return {}
        told.answer.model_validate(answer.json())
        found: Json = answer.json()
        return found

    async def folders(self) -> tuple[Json, Json]:
        folder = await self("POST /api/folders", "/api/folders", {"name": "Work"})
        await self("PATCH /api/folders/{id}", f"/api/folders/{folder['id']}", {"position": 0.5})
        assert (await self("GET /api/folders", "/api/folders"))["data"] == [{**folder, "position": 0.5}]
        settings = {"system": "Be brief", "stop": ["x"]}
        preset = await self("POST /api/presets", "/api/presets", {"name": "Brief", "settings": settings})
        await self("PATCH /api/presets/{id}", f"/api/presets/{preset['id']}", {"name": "Short"})
        (listed,) = (await self("GET /api/presets", "/api/presets"))["data"]
        assert (listed["name"], listed["settings"]) == ("Short", settings)
        return folder, preset

    async def attachments(self) -> tuple[Json, Json]:
        file = await self("POST /api/attachments", "/api/attachments?name=a.png", content=picture())
        assert (file["kind"], file["media_type"], file["width"], file["height"]) == ("image", "image/png", 3, 2)
        note = await self("POST /api/attachments", "/api/attachments?name=a.md", content="# Grüße".encode())
        await self("GET /api/attachments/{id}", f"/api/attachments/{file['id']}")
        await self("GET /api/attachments/{id}/content", f"/api/attachments/{file['id']}/content")
        await self("GET /api/attachments/{id}/text", f"/api/attachments/{note['id']}/text")
        spare = await self("POST /api/attachments", "/api/attachments?name=b.txt", content=b"b")
        await self("DELETE /api/attachments/{id}", f"/api/attachments/{spare['id']}")
        return file, note

    async def messages(self, chat: Json, image: Json) -> None:
        path = f"{CHATS}/{chat['id']}"
        parts = [{"type": "text", "text": "Look"}, {"type": "image", "attachment_id": image["id"]}]
        body = {"parent_id": None, "role": "user", "content": parts}
        said = await self("POST /api/chats/{id}/messages", f"{path}/messages", body)
        answer = await self("POST /api/chats/{id}/answers", f"{path}/answers", {"parent_id": said["id"]})
        await settled(self.rig, answer["message"])
        one = f"{path}/messages/{said['id']}"
        await self("GET /api/chats/{id}/messages/{message}", one)
        answered = f"{path}/messages/{answer['message']['id']}"
        read = await self("GET /api/chats/{id}/messages/{message}/prompt", f"{answered}/prompt")
        assert "Look" in read["prompt"]
        assert "[image]" in read["prompt"]
        await self("PATCH /api/chats/{id}/messages/{message}", one, {"content": "Look there"})
        found = await self("GET /api/chats/search", f"{CHATS}/search?q=look+the")
        assert found["data"][0]["snippet"] == {"text": "Look there", "matches": [[0, 4], [5, 10]]}
        fork = await self("POST /api/chats/{id}/fork", f"{path}/fork", {"message_id": said["id"]})
        assert fork["title"] == "Look"
        await self("DELETE /api/chats/{id}/messages/{message}", one)
        await self("POST /api/chats/{id}/messages/{message}/restore", f"{one}/restore")


async def test_every_answer_is_as_it_is_described(rig: Rig) -> None:
    ask_for = Asker(rig)
    folder, preset = await ask_for.folders()
    file, note = await ask_for.attachments()
    draft = {"text": "Hi", "attachments": [note["id"]], "model": None}
    chat = await ask_for("POST /api/chats", CHATS, {"folder_id": folder["id"], "draft": draft})
    await ask_for.messages(chat, file)
    path = f"{CHATS}/{chat['id']}"
    await ask_for("PATCH /api/chats/{id}", path, {"pinned": True, "draft": None})
    await ask_for("DELETE /api/chats/{id}", path)
    await ask_for("POST /api/chats/{id}/restore", f"{path}/restore")
    assert len((await ask_for("GET /api/chats/{id}", path))["messages"]) == 2
    assert len((await ask_for("GET /api/chats", CHATS))["data"]) == 2
    await ask_for("DELETE /api/presets/{id}", f"/api/presets/{preset['id']}")
    await ask_for("DELETE /api/folders/{id}", f"/api/folders/{folder['id']}")
    # That one is a stream, and has a test of its own.
    assert set(TOLD) - ask_for.asked == {"GET /api/chats/events"}
    described = (await rig.http.get("/openapi.json")).json()
    assert described["paths"]["/api/chats"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ChatPage"
    }


REFUSED: list[tuple[str, str, Json | None, int, str]] = [
    ("POST", CHATS, {"title": "x" * 201}, 422, "title"),
    ("POST", CHATS, {"id": "short"}, 422, "id"),
    ("POST", CHATS, {"unknown": 1}, 422, "unknown"),
    ("POST", CHATS, {"settings": {"temperature": "warm"}}, 422, "settings.temperature"),
    ("POST", CHATS, {"settings": {"seed": 2**40}}, 422, "settings.seed"),
    ("POST", CHATS, {"folder_id": "nowhere-1"}, 404, "nowhere-1"),
    ("POST", CHATS, {"draft": {"attachments": ["nowhere-1"]}}, 422, "nowhere-1"),
    ("GET", f"{CHATS}/nowhere-1", None, 404, "nowhere-1"),
    ("GET", f"{CHATS}/x%00y", None, 404, "x"),
    ("GET", f"{CHATS}?limit=0", None, 400, "limit"),
    ("GET", f"{CHATS}?cursor=zzz", None, 400, "cursor"),
    ("GET", f"{CHATS}?archived=maybe", None, 400, "archived"),
    ("GET", f"{CHATS}/search", None, 422, "q"),
    ("GET", f"{CHATS}/search?q={'x' * 201}", None, 422, "201"),
    ("POST", f"{CHATS}/nowhere-1/messages", {"parent_id": None, "role": "user", "content": "x"}, 404, "nowhere-1"),
    ("POST", f"{CHATS}/nowhere-1/messages", {"parent_id": None, "role": "user", "content": [{}]}, 422, "type"),
    ("POST", f"{CHATS}/nowhere-1/answers", {"parent_id": "message-1"}, 404, "nowhere-1"),
    ("PATCH", "/api/folders/nowhere-1", {"name": "x"}, 404, "folder"),
    ("POST", "/api/folders", {"name": ""}, 422, "name"),
    ("DELETE", "/api/presets/nowhere-1", None, 404, "preset"),
    ("GET", "/api/attachments/nowhere-1/content", None, 404, "attachment"),
    ("POST", "/api/attachments", None, 422, "name"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "word"), REFUSED)
async def test_a_refusal_names_the_value_in_one_shape(
    rig: Rig, method: str, path: str, body: Json | None, status: int, word: str
) -> None:
    answer = await rig.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert word in Error.model_validate(answer.json()).error.message


async def test_a_conflict_tells_what_is_there(rig: Rig) -> None:
    chat_id = await new_chat(rig, title="One")
    first = await sent(rig, "PATCH", f"{CHATS}/{chat_id}", {"title": "Two", "revision": 1})
    late = await sent(rig, "PATCH", f"{CHATS}/{chat_id}", {"title": "Three", "revision": 1}, 409)
    assert (late["error"]["code"], late["error"]["current"]) == ("conflict", first)
    assert await sent(rig, "POST", CHATS, {"id": chat_id, "title": "Two"}, 200) == first
    await sent(rig, "POST", CHATS, {"id": chat_id, "title": "Other"}, 409)


@pytest.mark.parametrize(
    ("name", "kind", "content", "status"),
    [
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n broken", 400),
        ("a.pdf", "application/pdf", b"%PDF-1.7\x00\xff", 400),
        ("a.bin", "application/octet-stream", b"\x7fELF\x00\xff", 422),
        ("a.png", "image/png", b"words", 400),
        ("a.txt", "text/plain", b"  \n", 422),
        ("a.txt", "text/plain", b"a\x00b", 422),
        ("a.txt", "text/plain", b"x" * 2_000_001, 422),
        ("a.txt", "text/plain", b"x" * (20 * 2**20 + 1), 413),
    ],
)
async def test_what_is_no_image_and_has_no_text_is_not_attached(
    rig: Rig, name: str, kind: str, content: bytes, status: int
) -> None:
    answer = await rig.http.post(f"/api/attachments?name={name}", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert Error.model_validate(answer.json()).error.message


async def test_an_attachment_is_data_whatever_it_says_of_itself(rig: Rig) -> None:
    page = b"<script>alert(1)</script>"
    made = await rig.http.post("/api/attachments?name=a.html", content=page, headers={"content-type": "text/html"})
    assert made.json()["media_type"] == "text/plain"
    got = await rig.http.get(f"/api/attachments/{made.json()['id']}/content")
    assert (got.content, got.headers["content-type"]) == (page, "text/plain; charset=utf-8")
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["x-content-type-options"] == "nosniff"


async def test_documents_reach_the_engine_as_text(rig: Rig) -> None:
    made = (await rig.http.post("/api/attachments?name=a.md", content="Grüße".encode("utf-16"))).json()
    chat_id = await new_chat(rig)
    parts = [{"type": "text", "text": "Read"}, {"type": "document", "attachment_id": made["id"]}]
    said = await sent(
        rig, "POST", f"{CHATS}/{chat_id}/messages", {"parent_id": None, "role": "user", "content": parts}, 201
    )
    await settled(rig, (await ask(rig, chat_id, said["id"]))["message"])
    told = str(body_of((await rig.engine.seen())[-1])["messages"])
    assert "Document a.md" in told
    assert "Grüße" in told


async def test_a_second_tab_follows_the_first(rig: Rig) -> None:
    chat_id = await new_chat(rig)
    seen: list[tuple[str, Json]] = []
    last: list[str] = []
    async with rig.http.stream("GET", f"{CHATS}/events") as stream, anyio.create_task_group() as group:
        assert stream.headers["content-type"].startswith("text/event-stream")

        async def follow() -> None:
            async for piece in stream.aiter_bytes():
                seen.extend(events_of(piece))
                last.extend(line[4:] for line in piece.decode().splitlines() if line.startswith("id: "))
                if seen and seen[-1][0] == "chat_deleted":
                    return

        group.start_soon(follow)
        await anyio.sleep(0.05)
        said = await say(rig, chat_id)
        answer = (await ask(rig, chat_id, said))["message"]
        await settled(rig, answer)
        await sent(rig, "POST", "/api/folders", {"name": "New"}, 201)
        await sent(rig, "DELETE", f"{CHATS}/{chat_id}")
    kinds = [kind for kind, _ in seen]
    assert kinds == ["message", "message", "message", "folders", "chat_deleted"]
    assert [data["status"] for kind, data in seen if kind == "message"] == ["complete", "generating", "complete"]
    for after, first in ((last[2], "folders"), ("other-1", "reset"), ("x", "reset")):
        async with rig.http.stream("GET", f"{CHATS}/events", headers={"last-event-id": after}) as stream:
            with anyio.fail_after(HANG_GUARD_S):
                assert events_of(await anext(stream.aiter_bytes()))[0][0] == first


async def test_a_message_that_is_added_again_is_one_and_a_thread_of_thousand_is_read_whole(rig: Rig) -> None:
    chat_id = await new_chat(rig)
    parent = await say(rig, chat_id, id="message-0")
    body = {"id": "message-0", "parent_id": None, "role": "user", "content": "Hello"}
    assert (await sent(rig, "POST", f"{CHATS}/{chat_id}/messages", body, 200))["id"] == parent
    for number in range(1, 40):
        parent = await say(rig, chat_id, f"word{number} 中", parent, id=f"message-{number}")
    thread = await sent(rig, "GET", f"{CHATS}/{chat_id}?leaf=shown")
    assert [one["id"] for one in thread["messages"]] == [f"message-{number}" for number in range(40)]
    assert (await sent(rig, "GET", f"{CHATS}/{chat_id}?messages=none"))["messages"] == []
    page = await sent(rig, "GET", f"{CHATS}/search?q=word39")
    assert [hit["message_id"] for hit in page["data"]] == ["message-39"]


async def test_the_routes_ask_for_a_key_where_all_do(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        for path in (CHATS, f"{CHATS}/events", "/api/folders", "/api/attachments/nowhere-1/content"):
            assert (await rig.http.get(path)).status_code == 401
