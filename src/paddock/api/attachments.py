"""Owns the routes of attachments; refuses to know what may be attached, or where it is kept."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paddock.api import chat_shapes
from paddock.api.body import read_bytes
from paddock.api.chat_asking import new_id, path_id, query_id, told
from paddock.api.described import ID, Operation, text
from paddock.api.edge import Edge
from paddock.errors import ChatUnknown, FieldInvalid

_NAME_MOST = 300
# A file of anyone's is data, whatever it says of itself: no page may run it.
_INERT = {
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "private, max-age=31536000, immutable",
}


def routes(edge: Edge) -> list[Route]:
    """The routes of attachments."""
    attachments = edge.chats.attachments

    async def create(request: Request) -> Response:
        name = request.query_params.get("name", "").replace("\x00", "").strip()
        if not 1 <= len(name) <= _NAME_MOST:
            sentence = f"name: has {len(name)} characters; send the file's name, of 1 to {_NAME_MOST}, as ?name=."
            raise FieldInvalid(sentence, param="name")
        most_bytes, timeout_s = attachments.most_bytes, edge.settings.receive_timeout_s
        data = await read_bytes(request, limit_bytes=most_bytes, timeout_s=timeout_s, room=edge.bodies)
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        attachment_id = query_id(request, "id") or new_id()
        name = name.encode("utf-8", "replace").decode()
        made, is_new = await attachments.put(attachment_id, name, declared, data)
        return told(made.told(), 201 if is_new else 200)

    async def one(request: Request) -> Response:
        return told((await attachments.store.get(_id(request))).told())

    async def content(request: Request) -> Response:
        found, data, _ = await attachments.store.content(_id(request))
        return Response(data, media_type=found.media_type, headers=_INERT)

    async def words(request: Request) -> Response:
        _, _, said = await attachments.store.content(_id(request))
        if said is None:
            raise ChatUnknown("text of the attachment", _id(request))
        return Response(said.encode("utf-8", "replace"), media_type="text/plain; charset=utf-8", headers=_INERT)

    async def delete(request: Request) -> Response:
        await attachments.store.delete(_id(request))
        return told({"id": _id(request), "deleted": True})

    return [
        Route("/api/attachments", create, methods=["POST"]),
        Route("/api/attachments/{id}", one, methods=["GET"]),
        Route("/api/attachments/{id}/content", content, methods=["GET"]),
        Route("/api/attachments/{id}/text", words, methods=["GET"]),
        Route("/api/attachments/{id}", delete, methods=["DELETE"]),
    ]


def _id(request: Request) -> str:
    return path_id(request, what="attachment")


OPERATIONS: Mapping[str, Operation] = {
    "POST /api/attachments": Operation(
        says="Keep a file, whose bytes are the body.",
        answer=chat_shapes.Attachment,
        status=201,
        query={"name": text(most=_NAME_MOST), "id": text(pattern=ID)},
        needs=("name",),
        takes="application/octet-stream",
    ),
    "GET /api/attachments/{id}": Operation(says="What is known of an attachment.", answer=chat_shapes.Attachment),
    "GET /api/attachments/{id}/content": Operation(says="Its bytes.", kind="application/octet-stream"),
    "GET /api/attachments/{id}/text": Operation(says="Its text.", kind="text/plain"),
    "DELETE /api/attachments/{id}": Operation(
        says="Forget an attachment that nothing uses.", answer=chat_shapes.Deleted
    ),
}
