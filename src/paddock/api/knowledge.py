"""Owns the routes of collections, their documents and passages; refuses to know how anything is read or found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api import knowledge_shapes as shapes
from paddock.api.body import read_bytes
from paddock.api.described import Asked, Operation, text
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.caller import current
from paddock.errors import FieldInvalid, KnowledgeUnknown, NotPermitted
from paddock.knowledge.indexer import DOCUMENT_MOST_BYTES
from paddock.knowledge.searching import Hit, Way
from paddock.store.knowledge import Collection

_CREATED = 201
_NAME_MOST = 400


class CollectionRequest(Asked):
    """`POST /api/knowledge` and `PATCH /api/knowledge/{id}`."""

    name: str


class FolderRequest(Asked):
    """`PUT /api/knowledge/{id}/folder`: a folder of this machine, by its whole path."""

    folder: str


class KnowledgeSearch(Asked):
    """`POST /api/knowledge/search`. `way` is which findings count."""

    collections: Annotated[list[str], Field(min_length=1, max_length=20)]
    query: Annotated[str, Field(max_length=20000)]
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    way: Way = "both"


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/knowledge": Operation(says="The caller's collections of documents.", answer=shapes.CollectionList),
    "POST /api/knowledge": Operation(
        says="Make a collection.", body=CollectionRequest, answer=shapes.Collection, status=_CREATED
    ),
    "POST /api/knowledge/search": Operation(
        says="Find passages by words and by meaning.", body=KnowledgeSearch, answer=shapes.FoundPassages
    ),
    "GET /api/knowledge/passages/{number}": Operation(
        says="A passage, with those beside it.", answer=shapes.PassageView
    ),
    "GET /api/knowledge/{id}": Operation(says="A collection and its documents.", answer=shapes.CollectionWhole),
    "PATCH /api/knowledge/{id}": Operation(
        says="Name a collection anew.", body=CollectionRequest, answer=shapes.Collection
    ),
    "DELETE /api/knowledge/{id}": Operation(says="Remove a collection and all in it.", answer=shapes.KnowledgeRemoved),
    "POST /api/knowledge/{id}/documents": Operation(
        says="Add a document, whose bytes are the body; it is read soon.", answer=shapes.Document, status=_CREATED,
        query={"name": text(most=_NAME_MOST)}, needs=("name",), takes="application/octet-stream",
    ),
    "DELETE /api/knowledge/{id}/documents/{document}": Operation(
        says="Remove a document.", answer=shapes.KnowledgeRemoved
    ),
    "POST /api/knowledge/{id}/cancel": Operation(says="End what is being read and embedded.", answer=shapes.Counted),
    "POST /api/knowledge/{id}/resume": Operation(says="Go on with what was ended.", answer=shapes.Counted),
    "PUT /api/knowledge/{id}/folder": Operation(
        says="Have an empty collection follow a folder of this machine.", body=FolderRequest, answer=shapes.Synced
    ),
    "POST /api/knowledge/{id}/sync": Operation(says="Take up what changed in its folder.", answer=shapes.Synced),
}  # fmt: skip


def routes(edge: Edge) -> list[Route]:
    """The routes of collections."""
    return [*_collections(edge), *_documents(edge), *_work(edge)]


def _collections(edge: Edge) -> list[Route]:
    knowledge = edge.knowledge

    async def listed(request: Request) -> Response:
        data = [_told(one) for one in await knowledge.store.listed()]
        return JSONResponse({"object": "list", "data": data, "note": knowledge.note})

    async def create(request: Request) -> Response:
        asked = check(CollectionRequest, await edge.body(request))
        return JSONResponse(_told(await knowledge.create(asked.name)), status_code=_CREATED)

    async def one(request: Request) -> Response:
        found = await knowledge.store.find(request.path_params["id"])
        documents = await knowledge.store.documents(found.id)
        return JSONResponse(
            {**_told(found), "note": knowledge.note, "data": [_document(document) for document in documents]}
        )

    async def rename(request: Request) -> Response:
        asked = check(CollectionRequest, await edge.body(request))
        return JSONResponse(_told(await knowledge.rename(request.path_params["id"], asked.name)))

    async def remove(request: Request) -> Response:
        await knowledge.store.remove(request.path_params["id"])
        await edge.note(request, "collection removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    return [
        Route("/api/knowledge", listed, methods=["GET"]),
        Route("/api/knowledge", create, methods=["POST"]),
        Route("/api/knowledge/{id}", one, methods=["GET"]),
        Route("/api/knowledge/{id}", rename, methods=["PATCH"]),
        Route("/api/knowledge/{id}", remove, methods=["DELETE"]),
    ]


def _documents(edge: Edge) -> list[Route]:
    knowledge = edge.knowledge

    async def add(request: Request) -> Response:
        name = request.query_params.get("name", "")
        if not 1 <= len(name.strip()) <= _NAME_MOST:
            sentence = f"name: has {len(name)} characters; send the file's name, of 1 to {_NAME_MOST}, as ?name=."
            raise FieldInvalid(sentence, param="name")
        await knowledge.store.find(request.path_params["id"])
        timeout_s = edge.settings.receive_timeout_s
        data = await read_bytes(request, limit_bytes=DOCUMENT_MOST_BYTES, timeout_s=timeout_s, room=edge.bodies)
        found = await knowledge.add(request.path_params["id"], name, data)
        return JSONResponse(_document(found), status_code=_CREATED)

    async def remove(request: Request) -> Response:
        await knowledge.remove_document(request.path_params["id"], request.path_params["document"])
        return JSONResponse({"id": request.path_params["document"], "deleted": True})

    async def search(request: Request) -> Response:
        asked = check(KnowledgeSearch, await edge.body(request))
        found = await knowledge.search(asked.collections, asked.query, limit=asked.limit, way=asked.way)
        return JSONResponse({"object": "list", "data": [_hit(hit) for hit in found.hits], "note": found.note})

    async def passage(request: Request) -> Response:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise KnowledgeUnknown("passage", number)
        around = [asdict(one) for one in await knowledge.passage(int(number))]
        return JSONResponse({"object": "passage", "id": int(number), "data": around})

    return [
        Route("/api/knowledge/search", search, methods=["POST"]),
        Route("/api/knowledge/passages/{number}", passage, methods=["GET"]),
        Route("/api/knowledge/{id}/documents", add, methods=["POST"]),
        Route("/api/knowledge/{id}/documents/{document}", remove, methods=["DELETE"]),
    ]


def _work(edge: Edge) -> list[Route]:
    knowledge = edge.knowledge

    async def cancel(request: Request) -> Response:
        return JSONResponse({"documents": await knowledge.cancel(request.path_params["id"])})

    async def resume(request: Request) -> Response:
        return JSONResponse({"documents": await knowledge.resume(request.path_params["id"])})

    async def follow(request: Request) -> Response:
        if current().key_id:
            how = "A folder of this machine is named at it, or by an admin who is signed in; by no key."
            raise NotPermitted("Following a folder", how)
        asked = check(FolderRequest, await edge.body(request))
        made = await knowledge.follow(request.path_params["id"], asked.folder)
        await edge.note(request, "folder followed", about=asked.folder[:300])
        return JSONResponse(_synced(made))

    async def sync(request: Request) -> Response:
        return JSONResponse(_synced(await knowledge.sync(request.path_params["id"])))

    return [
        Route("/api/knowledge/{id}/cancel", cancel, methods=["POST"]),
        Route("/api/knowledge/{id}/resume", resume, methods=["POST"]),
        Route("/api/knowledge/{id}/folder", follow, methods=["PUT"]),
        Route("/api/knowledge/{id}/sync", sync, methods=["POST"]),
    ]


def _told(one: Collection) -> dict[str, Any]:
    return {"object": "collection", **asdict(one), "states": dict(one.states)}


def _document(one: Any) -> dict[str, Any]:
    return {"object": "document", **{name: value for name, value in asdict(one).items() if name != "digest"}}


def _hit(hit: Hit) -> dict[str, Any]:
    ranks = {"score": round(hit.score, 6), "words_rank": hit.words_rank, "meaning_rank": hit.meaning_rank}
    return {**asdict(hit.passage), **ranks}


def _synced(made: Any) -> dict[str, Any]:
    return {"object": "synced", **asdict(made), "left_out": list(made.left_out)[:100]}
