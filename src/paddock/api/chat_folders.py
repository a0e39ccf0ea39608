"""Owns the routes of folders and presets of the page's chats; refuses to know how they are kept."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paddock.api import chat_shapes
from paddock.api.chat_asking import new_id, path_id, read, told
from paddock.api.chat_schemas import FolderCreate, FolderPatch, PresetCreate, PresetPatch
from paddock.api.described import Operation
from paddock.api.edge import Edge
from paddock.store.chat_folders import Preset


def routes(edge: Edge) -> list[Route]:
    """The routes of folders and presets."""
    store, changes = edge.chats.folders, edge.chats.changes

    async def folders(request: Request) -> Response:
        return told({"object": "list", "data": [one.told() for one in await store.folders()]})

    async def create_folder(request: Request) -> Response:
        asked = await read(edge, request, FolderCreate)
        made, is_new = await store.create_folder(asked.id or new_id(), asked.name, asked.position)
        changes.tell("folders")
        return told(made.told(), 201 if is_new else 200)

    async def patch_folder(request: Request) -> Response:
        asked = await read(edge, request, FolderPatch)
        made = await store.patch_folder(path_id(request, what="folder"), asked.model_dump(exclude_none=True))
        changes.tell("folders")
        return told(made.told())

    async def delete_folder(request: Request) -> Response:
        await store.delete_folder(path_id(request, what="folder"))
        changes.tell("folders")
        return told({"id": request.path_params["id"], "deleted": True})

    async def presets(request: Request) -> Response:
        return told({"object": "list", "data": [one.told() for one in await store.presets()]})

    async def create_preset(request: Request) -> Response:
        asked = await read(edge, request, PresetCreate)
        now_s = time.time()
        settings = asked.settings.model_dump(exclude_none=True)
        made, is_new = await store.create_preset(
            Preset(id=asked.id or new_id(), name=asked.name, settings=settings, created_s=now_s, updated_s=now_s)
        )
        changes.tell("presets")
        return told(made.told(), 201 if is_new else 200)

    async def patch_preset(request: Request) -> Response:
        asked = await read(edge, request, PresetPatch)
        fields = asked.model_dump(exclude_none=True) | {"updated_s": time.time()}
        made = await store.patch_preset(path_id(request, what="preset"), fields)
        changes.tell("presets")
        return told(made.told())

    async def delete_preset(request: Request) -> Response:
        await store.delete_preset(path_id(request, what="preset"))
        changes.tell("presets")
        return told({"id": request.path_params["id"], "deleted": True})

    return [
        Route("/api/folders", folders, methods=["GET"]),
        Route("/api/folders", create_folder, methods=["POST"]),
        Route("/api/folders/{id}", patch_folder, methods=["PATCH"]),
        Route("/api/folders/{id}", delete_folder, methods=["DELETE"]),
        Route("/api/presets", presets, methods=["GET"]),
        Route("/api/presets", create_preset, methods=["POST"]),
        Route("/api/presets/{id}", patch_preset, methods=["PATCH"]),
        Route("/api/presets/{id}", delete_preset, methods=["DELETE"]),
    ]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/folders": Operation(says="Every folder, by its position.", answer=chat_shapes.FolderList),
    "POST /api/folders": Operation(says="Make a folder.", body=FolderCreate, answer=chat_shapes.Folder, status=201),
    "PATCH /api/folders/{id}": Operation(says="Change a folder.", body=FolderPatch, answer=chat_shapes.Folder),
    "DELETE /api/folders/{id}": Operation(says="Delete a folder; its chats stay.", answer=chat_shapes.Deleted),
    "GET /api/presets": Operation(says="Every preset, by name.", answer=chat_shapes.PresetList),
    "POST /api/presets": Operation(says="Make a preset.", body=PresetCreate, answer=chat_shapes.Preset, status=201),
    "PATCH /api/presets/{id}": Operation(says="Change a preset.", body=PresetPatch, answer=chat_shapes.Preset),
    "DELETE /api/presets/{id}": Operation(says="Delete a preset.", answer=chat_shapes.Deleted),
}
