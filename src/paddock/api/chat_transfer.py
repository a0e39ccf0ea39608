"""Owns the routes by which chats leave paddock and come in, whole; refuses to know the forms of other programs."""

from __future__ import annotations

import base64
import binascii
import json
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from paddock.api import chat_shapes
from paddock.api.attending import attended
from paddock.api.body import Room, pieces
from paddock.api.chat_asking import choice, new_id, told
from paddock.api.chat_schemas import ID_PATTERN, ChatBrought
from paddock.api.described import Operation, text
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.errors import BadRequest, BodyTooLarge, ChatUnknown, Conflict, FieldInvalid, shown
from paddock.protocol import chat_exports
from paddock.reading import apart
from paddock.reading.values import words
from paddock.scratch import private_folder
from paddock.store.chat_rows import Chat, Message

_FORMS = ("json", "markdown", "sharegpt")
_ENDINGS = {"json": ("json", "application/json"), "markdown": ("md", "text/markdown; charset=utf-8"),
            "sharegpt": ("jsonl", "application/jsonl")}  # fmt: skip
_FILE_MOST_BYTES = 2**30
# Of the disk, by files that came or are on their way, beside the first MiB of each.
_FILES_MOST_BYTES = 2 * _FILE_MOST_BYTES
_READ_S = 300.0
_PAGE = 200
_PLACES_MOST = 8000
_CHATS_MOST = 50_000


def routes(edge: Edge) -> list[Route]:
    """The routes of export and import."""
    own = _Import(edge)

    async def export(request: Request) -> Response:
        form = choice(request, "format", _FORMS, "json")
        ids = request.query_params.getlist("id")
        if unknown := [one for one in ids if not ID_PATTERN.match(one)]:
            raise ChatUnknown("chat", unknown[0])
        store = await edge.chats.store()
        known = await store.known(ids)
        if missing := [one for one in ids if one not in known]:
            raise ChatUnknown("chat", missing[0])
        ending, media_type = _ENDINGS[form]
        name = f"paddock-chats-{datetime.now(UTC):%Y-%m-%d}.{ending}"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return StreamingResponse(_exported(edge, form, ids or None), media_type=media_type, headers=headers)

    return [
        Route("/api/chats/export", export, methods=["GET"]),
        Route("/api/chats/import", own.bring, methods=["POST"]),
    ]


async def _exported(edge: Edge, form: str, ids: list[str] | None) -> AsyncGenerator[bytes]:
    """The file, chat by chat: never more than one of them is held, nor more than one attachment."""
    folders = {one.id: one.name for one in await edge.chats.folders.folders()}
    enclosed: dict[str, None] = {}
    is_first = True
    if form == "json":
        yield (
            json.dumps({"format": "paddock-chats", "version": 1, "made_s": time.time()})[:-1].encode()
            + b', "chats": [\n'
        )
    async for chat, messages in _chats(edge, ids):
        if form == "json":
            enclosed |= dict.fromkeys(part["attachment_id"] for one in messages for part in one["content"]
                                      if "attachment_id" in part)  # fmt: skip
            line = chat_exports.own(chat, messages, folders.get(chat["folder_id"] or ""))
            yield (line if is_first else f",\n{line}").encode()
        elif form == "sharegpt":
            yield f"{chat_exports.sharegpt(chat, messages)}\n".encode("utf-8", "replace")
        else:
            text_of = chat_exports.markdown(chat, messages)
            yield (text_of if is_first else f"\n---\n\n{text_of}").encode("utf-8", "replace")
        is_first = False
    if form == "json":
        yield b'\n], "attachments": ['
        is_first = True
        for attachment_id in enclosed:
            if line_of := await _enclosed(edge, attachment_id):
                yield (b"\n" if is_first else b",\n") + line_of
                is_first = False
        yield b"\n]}\n"


async def _enclosed(edge: Edge, attachment_id: str) -> bytes | None:
    """An attachment as JSON; None for one that is gone meanwhile."""
    try:
        found, data, _ = await edge.chats.attachments.store.content(attachment_id)
    except ChatUnknown:
        return None
    about = {"id": found.id, "name": found.name, "media_type": found.media_type}
    return json.dumps({**about, "data": base64.b64encode(data).decode("ascii")}).encode()


async def _chats(edge: Edge, ids: list[str] | None) -> AsyncGenerator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each chat with its messages; one that is deleted meanwhile is left out."""
    store = await edge.chats.store()
    for chat_id in ids if ids is not None else [one async for one in _every_id(edge)]:
        try:
            chat, messages, _ = await store.read(chat_id)
        except ChatUnknown:
            continue
        yield chat.told(), [one.told() for one in messages]


async def _every_id(edge: Edge) -> AsyncGenerator[str]:
    store, after = await edge.chats.store(), None
    while page := await store.page(limit=_PAGE, after=after, archived="any"):
        for chat in page:
            yield chat.id
        after = (page[-1].pinned, page[-1].updated_s, page[-1].id)


@dataclass(kw_only=True)
class _Entry:
    """What became of one chat of a file. `fault` says why it cannot be brought."""

    place: int
    id: str = ""
    title: str = ""
    created_s: float = 0.0
    updated_s: float = 0.0
    message_count: int = 0
    is_here: bool = False
    is_brought: bool = False
    left_out: list[str] = field(default_factory=list[str])
    fault: str | None = None


class _Import:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        # A file takes a process and a while: they wait for each other.
        self._turn = anyio.Lock()
        self._room = Room(_FILES_MOST_BYTES)

    async def bring(self, request: Request) -> Response:
        """What is in a file of chats, and those chats of it that are chosen, each whole or not at all."""
        is_dry = choice(request, "dry_run", ("false", "true"), "false") == "true"
        places = _places(request.query_params.get("places"))
        timeout_s = self._edge.settings.receive_timeout_s
        async with private_folder(self._edge.settings.home) as folder:
            with self._room.share() as grown:
                # Whoever sends slowly keeps nobody else waiting.
                await _received(request, folder / "source", grown, timeout_s)
                return await attended(request, lambda: self._brought(folder, is_dry, places))

    async def _brought(self, folder: Path, is_dry: bool, places: Callable[[int], bool]) -> Response:
        entries: list[_Entry] = []
        async with self._turn:
            made = folder / "chats"
            read = await apart.read("chats", folder / "source", made, timeout_s=_READ_S)
            async for place, one in _lines(made):
                entry = _Entry(place=place)
                entries.append(entry)
                if len(entries) > _CHATS_MOST:
                    raise BadRequest(f"It holds more than {_CHATS_MOST} chats. Send a part of it.")
                # A chat that is begun comes in whole, also when its client leaves.
                with anyio.CancelScope(shield=True):
                    await self._one(one, entry, folder, is_dry=is_dry or not places(place))
        told_of = [entry.__dict__ for entry in entries]
        return told({"object": "import", "format": read["format"], "dry_run": is_dry, "chats": told_of})

    async def _one(self, one: dict[str, Any], entry: _Entry, folder: Path, *, is_dry: bool) -> None:
        attachments, left_out = one.pop("attachments", []), one.pop("left_out", [])
        if unread := one.pop("unread", None):
            entry.id, entry.title, entry.fault = str(one.get("id"))[:64], str(one.get("title"))[:200], str(unread)
            return
        try:
            wanted = check(ChatBrought, one)
        except FieldInvalid as error:
            entry.id, entry.title = str(one.get("id"))[:64], str(one.get("title"))[:200]
            entry.fault = error.message
            return
        entry.id, entry.title, entry.message_count = wanted.id, wanted.title, len(wanted.messages)
        entry.created_s, entry.updated_s = wanted.created_s, wanted.updated_s
        entry.left_out = [str(what)[:200] for what in left_out[:20]]
        entry.is_here = bool(await (await self._edge.chats.store()).known([wanted.id]))
        if is_dry or entry.is_here:
            return
        try:
            for name in attachments:
                await self._enclose(await self._enclosed(anyio.Path(folder, name)))
            entry.is_brought = await self._edge.chats.bring(*await self._rows(wanted))
        except (BadRequest, FieldInvalid, Conflict, BodyTooLarge, ChatUnknown) as error:
            entry.fault = error.message

    async def _enclosed(self, path: anyio.Path) -> dict[str, Any]:
        # Base64 takes a third more, and JSON may take more of it.
        if (await path.stat()).st_size > 2 * (most_bytes := self._edge.chats.attachments.most_bytes):
            raise BodyTooLarge(limit_bytes=most_bytes)
        return json.loads(await path.read_text("ascii"))

    async def _enclose(self, enclosed: dict[str, Any]) -> None:
        name, attachment_id = words(enclosed.get("name"))[:300] or "file", str(enclosed.get("id"))
        if not ID_PATTERN.match(attachment_id):
            raise FieldInvalid(f"attachments: {shown(attachment_id)} is no id.", param="attachments")
        try:
            data = base64.b64decode("".join(str(enclosed.get("data")).split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise FieldInvalid(f"attachments: {shown(name)} is no base64: {error}.", param="attachments") from error
        declared = words(enclosed.get("media_type"))[:100]
        await self._edge.chats.attachments.put(attachment_id, name, declared, data)

    async def _rows(self, wanted: ChatBrought) -> tuple[Chat, list[Message]]:
        now_s = time.time()
        folder_id = await self._folder_id(wanted.folder) if wanted.folder else None
        created_s = wanted.created_s or wanted.updated_s or now_s
        chat = Chat(
            id=wanted.id, title=wanted.title, folder_id=folder_id, created_s=created_s,
            updated_s=wanted.updated_s or created_s, pinned=wanted.pinned, archived=wanted.archived,
            settings=wanted.settings.model_dump(exclude_none=True), leaf_id=wanted.leaf_id,
            message_count=len(wanted.messages),
        )  # fmt: skip
        messages = [
            Message(
                id=one.id, chat_id=chat.id, parent_id=one.parent_id, role=one.role, model=one.model,
                content=[part.model_dump(exclude_none=True) for part in one.content], number=place,
                created_s=one.created_s or created_s, updated_s=one.created_s or created_s, status=one.status,
                usage=one.usage.model_dump() if one.usage else None,
                timings=one.timings.model_dump() if one.timings else None,
                error=one.error.model_dump() if one.error else None,
            )
            for place, one in enumerate(wanted.messages, 1)
        ]  # fmt: skip
        return chat, messages

    async def _folder_id(self, name: str) -> str:
        """The folder of that name, which is made where there is none."""
        folders = self._edge.chats.folders
        there = next((one.id for one in await folders.folders() if one.name == name), None)
        return there or (await folders.create_folder(new_id(), name, None))[0].id


async def _received(request: Request, source: Path, grown: Callable[[int], None], timeout_s: float) -> None:
    """Write the body into a file as it comes. Raises as `pieces` does, and TooBusy as `grown`."""
    size_bytes, coming = 0, pieces(request, limit_bytes=_FILE_MOST_BYTES, timeout_s=timeout_s)
    async with await anyio.open_file(source, "wb") as opened, aclosing(coming):
        async for piece in coming:
            size_bytes += len(piece)
            grown(size_bytes)
            await opened.write(piece)
    if not size_bytes:
        raise BadRequest("The body is empty. Send the file's bytes as the body.")


async def _lines(made: Path) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    place = 0
    async with await anyio.open_file(made, encoding="ascii") as opened:
        async for line in opened:
            yield place, await anyio.to_thread.run_sync(json.loads, line)
            place += 1


def _places(written: str | None) -> Callable[[int], bool]:
    """Whether a place is chosen, of places such as `0-4,7`; each is where none are named. Raises BadRequest."""
    if written is None:
        return lambda place: True
    found: list[tuple[int, int]] = []
    for piece in filter(None, written.split(",")):
        first, dash, last = piece.partition("-")
        ends = [first, last if dash else first]
        if not all(end.isascii() and end.isdecimal() and len(end) <= 5 for end in ends) or len(written) > _PLACES_MOST:
            raise BadRequest(f"places is {shown(written)}; send places in the file, such as 0-4,7.", param="places")
        found.append((int(ends[0]), int(ends[1])))
    found.sort()
    firsts = [first for first, _ in found]
    lasts = list(accumulate((last for _, last in found), max))

    def holds(place: int) -> bool:
        at = bisect_right(firsts, place)
        return at > 0 and place <= lasts[at - 1]

    return holds


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/chats/export": Operation(
        says="Chats as a file: all of them, or those of the ids.",
        kind="application/json",
        query={"format": text(enum=_FORMS), "id": text(most=64)},
    ),
    "POST /api/chats/import": Operation(
        says="Bring chats in from a file, whose bytes are the body.",
        answer=chat_shapes.Imported,
        query={"dry_run": text(enum=("false", "true")), "places": text(most=_PLACES_MOST)},
        takes="application/octet-stream",
    ),
}
