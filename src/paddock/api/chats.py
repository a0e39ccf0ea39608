"""Owns the routes of the page's chats, but for their messages; refuses to know how they are kept or answered."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api import chat_shapes
from paddock.api.chat_asking import choice, new_id, path_id, query_id, read, told, whole
from paddock.api.chat_schemas import ChatCreate, ChatPatch, ForkCreate
from paddock.api.described import EVENTS, ID, Operation, text
from paddock.api.described import whole as whole_schema
from paddock.api.edge import Edge
from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.serving.chats import Found
from paddock.serving.runs import Replay
from paddock.store.chat_rows import Chat
from paddock.store.chats import RESTORABLE_S, Cursor

_ARCHIVED = ("false", "true", "any")
_QUERY_MOST = 200


def routes(edge: Edge) -> list[Route]:
    """The routes of chats."""
    chats = edge.chats

    async def listed(request: Request) -> Response:
        return told(await _page(edge, request))

    async def create(request: Request) -> Response:
        made, is_new = await chats.create(await _wanted(edge, request))
        return told(made.told(), 201 if is_new else 200)

    async def one(request: Request) -> Response:
        leaf = request.query_params.get("leaf")
        leaf_id = leaf if leaf in (None, "shown") else query_id(request, "leaf")
        has_messages = choice(request, "messages", ("all", "none"), "all") == "all"
        store = await chats.store()
        chat, messages, siblings = await store.read(path_id(request), leaf_id=leaf_id, has_messages=has_messages)
        return told({**chat.told(), "messages": [one.told() for one in messages], "siblings": siblings})

    async def patch(request: Request) -> Response:
        return told((await _changed(edge, request)).told())

    async def delete(request: Request) -> Response:
        gone = await chats.delete(path_id(request))
        assert gone.deleted_s is not None
        return told(restorable(gone.id, gone.deleted_s))

    async def restore(request: Request) -> Response:
        return told((await chats.restore(path_id(request))).told())

    async def fork(request: Request) -> Response:
        asked = await read(edge, request, ForkCreate)
        chat = await (await chats.store()).get(path_id(request))
        title = chat.title if asked.title is None else asked.title
        made, is_new = await chats.fork(chat.id, asked.message_id, fork_id=asked.id or new_id(), title=title)
        return told(made.told(), 201 if is_new else 200)

    async def search(request: Request) -> Response:
        return told(await _search(edge, request))

    async def events(request: Request) -> ASGIApp:
        after = request.query_params.get("after") or request.headers.get("last-event-id")
        seen = (await chats.store()).is_seen
        return Replay(chats.changes.after(after, seen), keepalive_s=edge.settings.keepalive_s)

    return [
        Route("/api/chats", listed, methods=["GET"]),
        Route("/api/chats", create, methods=["POST"]),
        Route("/api/chats/search", search, methods=["GET"]),
        Route("/api/chats/events", events, methods=["GET"]),
        Route("/api/chats/{id}", one, methods=["GET"]),
        Route("/api/chats/{id}", patch, methods=["PATCH"]),
        Route("/api/chats/{id}", delete, methods=["DELETE"]),
        Route("/api/chats/{id}/restore", restore, methods=["POST"]),
        Route("/api/chats/{id}/fork", fork, methods=["POST"]),
    ]


def restorable(name: str, deleted_s: float) -> dict[str, Any]:
    """What is told of something that was deleted."""
    return {"id": name, "deleted": True, "deleted_s": deleted_s, "purged_s": deleted_s + RESTORABLE_S}


async def _wanted(edge: Edge, request: Request) -> Chat:
    """The chat that is to be made."""
    asked = await read(edge, request, ChatCreate)
    now_s = time.time()
    return Chat(
        id=asked.id or new_id(),
        title=asked.title,
        folder_id=asked.folder_id,
        created_s=now_s,
        updated_s=now_s,
        pinned=asked.pinned,
        archived=asked.archived,
        settings=asked.settings.model_dump(exclude_none=True),
        draft=asked.draft.model_dump() if asked.draft else None,
    )


async def _changed(edge: Edge, request: Request) -> Chat:
    """The chat after the fields that were sent are changed."""
    asked = await read(edge, request, ChatPatch)
    changes = asked.model_dump(exclude_unset=True, exclude={"settings", "draft", "revision", "draft_revision"})
    if "settings" in asked.model_fields_set:
        changes["settings"] = asked.settings.model_dump(exclude_none=True)
    if "draft" in asked.model_fields_set:
        changes["draft"] = asked.draft.model_dump() if asked.draft else None
    revisions = {"revision": asked.revision, "draft_revision": asked.draft_revision}
    return await edge.chats.patch(path_id(request), changes, **revisions)


async def _page(edge: Edge, request: Request) -> dict[str, Any]:
    limit = whole(request, "limit", 50, 1, 200)
    folder_id = request.query_params.get("folder_id")
    found = await (await edge.chats.store()).page(
        limit=limit + 1,
        after=_cursor(request.query_params.get("cursor")),
        folder_id=folder_id if folder_id in (None, "none") else query_id(request, "folder_id"),
        archived=choice(request, "archived", _ARCHIVED, "false"),
        is_deleted=choice(request, "deleted", ("false", "true"), "false") == "true",
    )
    page = found[:limit]
    following = _cursor_of(page[-1]) if len(found) > limit else None
    return {"object": "list", "data": [chat.told() for chat in page], "next_cursor": following}


async def _search(edge: Edge, request: Request) -> dict[str, Any]:
    began_s = time.perf_counter()
    query = request.query_params.get("q", "").strip()
    if not 1 <= len(query) <= _QUERY_MOST:
        sentence = f"q: has {len(query)} characters; send between 1 and {_QUERY_MOST} to look for."
        raise FieldInvalid(sentence, param="q")
    archived = choice(request, "archived", _ARCHIVED, "false")
    found = await edge.chats.find(query, limit=whole(request, "limit", 20, 1, 100), archived=archived)
    hits = [_hit(one) for one in found]
    return {"object": "list", "data": hits, "took_s": round(time.perf_counter() - began_s, 4)}


def _cursor_of(chat: Chat) -> str:
    place = json.dumps([chat.pinned, chat.updated_s, chat.id])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _cursor(text: str | None) -> Cursor | None:
    if not text:
        return None
    try:
        pinned, updated_s, last_id = json.loads(base64.urlsafe_b64decode(text.encode()))
        if not isinstance(pinned, bool) or not isinstance(updated_s, float) or not isinstance(last_id, str):
            raise ValueError(text)
        return pinned, updated_s, last_id.encode("ascii").decode()
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        sentence = f"cursor is {shown(text)}, which no page ended with. Leave it out to begin at the first page."
        raise BadRequest(sentence, param="cursor") from error


def _hit(found: Found) -> dict[str, Any]:
    hit = found.hit
    return {
        "kind": "message" if hit.message_id else "title",
        "chat_id": hit.chat_id,
        "title": hit.title,
        "message_id": hit.message_id,
        "role": hit.role,
        "created_s": hit.created_s,
        "snippet": {"text": found.snippet, "matches": found.matches},
    }


_ARCHIVED_SCHEMA = text(enum=_ARCHIVED)
OPERATIONS: Mapping[str, Operation] = {
    "GET /api/chats": Operation(
        says="A page of chats, pinned ones first, then the newest first.",
        answer=chat_shapes.ChatPage,
        query={
            "limit": whole_schema(1, 200, 50),
            "cursor": text(most=400),
            "folder_id": text(most=64),
            "archived": _ARCHIVED_SCHEMA,
            "deleted": text(enum=("false", "true")),
        },
    ),
    "POST /api/chats": Operation(says="Make a chat.", body=ChatCreate, answer=chat_shapes.Chat, status=201),
    "GET /api/chats/search": Operation(
        says="Titles and messages in which all words of a query are.",
        answer=chat_shapes.SearchPage,
        query={"q": text(most=_QUERY_MOST), "limit": whole_schema(1, 100, 20), "archived": _ARCHIVED_SCHEMA},
        needs=("q",),
    ),
    "GET /api/chats/events": Operation(
        says="What changes in chats, as it happens.", kind=EVENTS, query={"after": text(most=100)}
    ),
    "GET /api/chats/{id}": Operation(
        says="A chat with its messages, of the whole tree or of one branch.",
        answer=chat_shapes.ChatWithMessages,
        query={"leaf": text(pattern=ID), "messages": text(enum=("all", "none"))},
    ),
    "PATCH /api/chats/{id}": Operation(says="Change fields of a chat.", body=ChatPatch, answer=chat_shapes.Chat),
    "DELETE /api/chats/{id}": Operation(says="Delete a chat, for a day with undo.", answer=chat_shapes.Restorable),
    "POST /api/chats/{id}/restore": Operation(says="Bring a deleted chat back.", answer=chat_shapes.Chat),
    "POST /api/chats/{id}/fork": Operation(
        says="Copy a branch into a new chat.", body=ForkCreate, answer=chat_shapes.Chat, status=201
    ),
}
