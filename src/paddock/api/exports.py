"""Owns the routes of exports; refuses to know how any file is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.catalog import imported
from paddock.api.described import EVENTS, Asked, Operation, Told
from paddock.api.edge import Edge
from paddock.api.jobs import told_job
from paddock.api.numbered import after, frames
from paddock.api.rights import permit
from paddock.api.schemas import check
from paddock.api.zipped import Zipped
from paddock.caller import current
from paddock.export.spec import SPLIT_LEAST_BYTES, SUITES, TRAINED, USUAL, importance_in
from paddock.models.certificates import beside
from paddock.serving.runs import Replay
from paddock.store.jobs import Job, State

_ACCEPTED, _CREATED = 202, 201
_BYTES = "application/octet-stream"


class ExportRequest(Asked):
    """`POST /api/exports`: what is exported, and as what."""

    source: str
    base: str = ""
    name: str = ""
    types: list[str] | None = None
    certifies: bool = True
    importance: str = ""
    split_bytes: int = 0
    evaluates: list[str] | None = None


class ExportFault(Told):
    """Why an export failed."""

    kind: str
    message: str


class Export(Told):
    """One export. Times are seconds since 1970; `figures` are the newest that its worker told."""

    object: Literal["export"]
    id: str
    name: str
    state: State
    spec: dict[str, Any]
    figures: dict[str, Any]
    error: ExportFault | None
    created_s: float
    started_s: float | None
    ended_s: float | None


class ExportType(Told):
    """A type of file.

    `of` is the whole model, or what was trained without its base; `is_usual`: made where no types are asked for.
    `importance` is what it is to it that rows tell which weights matter.
    """

    name: str
    of: Literal["model", "adapter"]
    is_usual: bool
    is_made_here: bool
    importance: Literal["needed", "used", "unused"]


class ExportList(Told):
    """`GET /api/exports`, the newest first.

    `has_stack`: there are the libraries that export; `measures_importance`: and the program that measures what matters.
    `suites` are what files can be evaluated by once they are made.
    """

    object: Literal["list"]
    data: list[Export]
    has_stack: bool
    types: list[ExportType]
    measures_importance: bool
    split_least_bytes: int
    suites: list[str]


class ExportFile(Told):
    """A whole file that an export made; of an adapter as Transformers has it, with its folder before its name."""

    name: str
    size_bytes: int


class ExportFiles(Told):
    """`GET /api/exports/{id}/files`: what it made so far, by name."""

    object: Literal["list"]
    data: list[ExportFile]


class ExportEstimate(Told):
    """What an export would make, in bytes; null where its source has weights of an unknown form.

    `sizes` are those of a file by its type, `merged_bytes` of what is merged before, `memory_bytes` what that takes.
    `into` is which weights of the base an adapter is made part of: as they are, as they lie on the disk although it was
    trained beside 4 bits of them, or what the base's 4 bits stand for.
    """

    name: str
    sizes: dict[str, int] | None
    merged_bytes: int | None
    memory_bytes: int | None
    free_bytes: int
    into: Literal["as_it_is", "as_on_disk", "dequantised"]


class ExportLink(Told):
    """What is said of one link of the chain that made a file, and why."""

    verdict: str
    says: str


class ExportPiece(Told):
    """One of the pieces of a file."""

    file: str
    size_bytes: int
    changed_ns: int
    sha256: str


class ExportCertificate(Told):
    """The certificate of a file: the verdict, each link, and the figures from which they were judged.

    Of a file in several `pieces`, which are null elsewhere, size and SHA-256 are those of all one after another.
    """

    file: str
    type: str
    size_bytes: int
    changed_ns: int
    sha256: str
    pieces: list[ExportPiece] | None = None
    made_s: float
    method: str
    prompts: int
    left_out: list[Any]
    greedy: dict[str, int]
    verdict: str
    links: dict[str, ExportLink]
    figures: dict[str, Any]


class ExportImport(Asked):
    """`POST /api/exports/{id}/files/{name}/import`: the name that the model gets; its file's if there is none."""

    name: Annotated[str, Field(max_length=200)] = ""


class ExportImported(Told):
    """As what a file is among the models now, and how its bytes are kept."""

    id: str
    kind: Literal["model", "adapter"]
    kept_as: str


class ExportRemoved(Told):
    """`DELETE /api/exports/{id}`: what it made went with it."""

    id: str
    deleted: Literal[True]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/exports": Operation(says="The exports.", answer=ExportList),
    "POST /api/exports": Operation(says="Queue an export.", body=ExportRequest, answer=Export, status=_ACCEPTED),
    "POST /api/exports/estimate": Operation(
        says="Tell what an export would make, and begin nothing.", body=ExportRequest, answer=ExportEstimate
    ),
    "GET /api/exports/{id}": Operation(says="One export.", answer=Export),
    "DELETE /api/exports/{id}": Operation(says="Remove an export with what it made.", answer=ExportRemoved),
    "GET /api/exports/{id}/events": Operation(says="What its worker tells, until it is at rest.", kind=EVENTS),
    "GET /api/exports/{id}/zip": Operation(says="The files that it made, in one archive.", kind="application/zip"),
    "POST /api/exports/{id}/cancel": Operation(says="Stop as soon as it can.", answer=Export),
    "POST /api/exports/{id}/verify": Operation(says="Compare its files anew, as they are.", answer=Export),
    "POST /api/exports/{id}/resume": Operation(says="Go on from the last step that is whole.", answer=Export),
    "GET /api/exports/{id}/files": Operation(says="The files that it has made.", answer=ExportFiles),
    "GET /api/exports/{id}/files/{name}": Operation(says="A file that it made.", kind=_BYTES),
    "GET /api/exports/{id}/files/{name}/certificate": Operation(
        says="What was compared of a file, and what came of it.", answer=ExportCertificate
    ),
    "POST /api/exports/{id}/files/{name}/import": Operation(
        says="Put a file among the models, by a link.", body=ExportImport, answer=ExportImported, status=_CREATED
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The routes of exports."""
    exports = edge.exports

    async def listed(request: Request) -> Response:
        data = [_told(one) for one in await exports.listed()]
        has_stack = await anyio.to_thread.run_sync(exports.has_stack)
        kinds, measures = await anyio.to_thread.run_sync(exports.kinds)
        types = [_type(name, is_made_here=is_made_here) for name, is_made_here in kinds.items()]
        told = {"object": "list", "data": data, "has_stack": has_stack, "types": types}
        options = {"split_least_bytes": SPLIT_LEAST_BYTES, "suites": list(SUITES)}
        return JSONResponse({**told, "measures_importance": measures, **options})

    async def estimate(request: Request) -> Response:
        asked = check(ExportRequest, await edge.body(request))
        return JSONResponse(asdict(await exports.estimate(asked.model_dump())))

    async def start(request: Request) -> Response:
        asked = check(ExportRequest, await edge.body(request))
        if asked.evaluates:
            # What is evaluated is put among the models before.
            permit(current(), "download", request.url.path)
        job = await exports.start(asked.model_dump())
        await edge.note(request, "export begun", about=f"{job.id} {job.name}")
        return JSONResponse(_told(job), status_code=_ACCEPTED)

    async def one(request: Request) -> Response:
        return JSONResponse(_told(await exports.find(request.path_params["id"])))

    async def remove(request: Request) -> Response:
        await edge.pushes.refuse_under_way(request.path_params["id"])
        await exports.remove(request.path_params["id"])
        await edge.note(request, "export removed", about=request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "deleted": True})

    async def events(request: Request) -> ASGIApp:
        job = await exports.find(request.path_params["id"])
        return Replay(frames(exports.events(job.id, after(request))), keepalive_s=edge.settings.keepalive_s)

    async def zipped(request: Request) -> ASGIApp:
        job, files = await exports.files(request.path_params["id"])
        return Zipped(files, job.name)

    async def change(request: Request) -> Response:
        deeds = {"cancel": exports.cancel, "resume": exports.resume, "verify": exports.verify}
        return JSONResponse(_told(await deeds[request.url.path.rpartition("/")[2]](request.path_params["id"])))

    return [
        Route("/api/exports", listed, methods=["GET"]),
        Route("/api/exports", start, methods=["POST"]),
        Route("/api/exports/estimate", estimate, methods=["POST"]),
        Route("/api/exports/{id}", one, methods=["GET"]),
        Route("/api/exports/{id}", remove, methods=["DELETE"]),
        Route("/api/exports/{id}/events", events, methods=["GET"]),
        Route("/api/exports/{id}/zip", zipped, methods=["GET"]),
        Route("/api/exports/{id}/cancel", change, methods=["POST"]),
        Route("/api/exports/{id}/resume", change, methods=["POST"]),
        Route("/api/exports/{id}/verify", change, methods=["POST"]),
        *_of_files(edge),
    ]


def _of_files(edge: Edge) -> list[Route]:
    """The routes of the files that an export made."""
    exports = edge.exports

    async def files(request: Request) -> Response:
        found = await exports.made(request.path_params["id"])

        def look() -> list[dict[str, Any]]:
            return [{"name": name, "size_bytes": path.stat().st_size} for name, path in found.items() if path.is_file()]

        return JSONResponse({"object": "list", "data": await anyio.to_thread.run_sync(look)})

    async def file(request: Request) -> Response:
        path = await exports.file(request.path_params["id"], request.path_params["name"])
        return FileResponse(path, media_type=_BYTES, filename=path.name)

    async def certificate(request: Request) -> Response:
        path = await exports.file(request.path_params["id"], request.path_params["name"])
        path = await exports.file(request.path_params["id"], beside(path).name)
        return Response(await anyio.to_thread.run_sync(path.read_bytes), media_type="application/json")

    async def bring(request: Request) -> Response:
        asked = check(ExportImport, await edge.body(request))
        path = await exports.file(request.path_params["id"], request.path_params["name"])
        told = await anyio.to_thread.run_sync(imported, edge.shelf.catalog, path, asked.name or None)
        await edge.note(request, "model imported", about=f"{told['id']} {request.path_params['id']}")
        return JSONResponse(told, status_code=_CREATED)

    return [
        Route("/api/exports/{id}/files", files, methods=["GET"]),
        Route("/api/exports/{id}/files/{name}", file, methods=["GET"]),
        Route("/api/exports/{id}/files/{name}/certificate", certificate, methods=["GET"]),
        Route("/api/exports/{id}/files/{name}/import", bring, methods=["POST"]),
    ]


def _type(name: str, *, is_made_here: bool) -> dict[str, Any]:
    return {
        "name": name,
        "of": "adapter" if name in TRAINED else "model",
        "is_usual": name in USUAL,
        "is_made_here": is_made_here,
        "importance": importance_in(name),
    }


def _told(job: Job) -> dict[str, Any]:
    return told_job(job, "export")
