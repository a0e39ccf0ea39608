"""Owns the routes of llama.cpp's builds: what is here, and the one job that is done on them; does none of it itself."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.errors import BadRequest, BuildBroken, FieldInvalid, shown
from paddock.install.builds import EMBEDDED_NAME, PREVIOUS, Build, Builds, Pointer
from paddock.install.canary import entry
from paddock.install.jobs import Job
from paddock.install.manifest import checked_tag, shipped

_ACCEPTED = 202
_DEED = "Changing the builds of llama.cpp"
_DIGITS_MOST = 9


class _Engines:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def listed(self, request: Request) -> Response:
        """What is here, and which build is used now and from the next start on. Nothing is asked of anybody else."""
        why_not = self._edge.why_not(_DEED)
        told = await anyio.to_thread.run_sync(self._here)
        job = self._edge.builds.job
        return JSONResponse(
            {
                **told,
                "can_change": why_not is None,
                "why_not": why_not,
                "job": _told(job, 0) if job else None,
            }
        )

    async def look(self, request: Request) -> Response:
        """Ask what a release holds, and judge each build for this machine."""
        body = await self._asked(request, tag=(str, type(None)), afresh=(bool,))
        tag = body.get("tag")
        return self._start(
            {"do": "look", "tag": checked_tag(tag) if tag else None, "afresh": body.get("afresh", False)}
        )

    async def install(self, request: Request) -> Response:
        """Fetch or make a build, check it, try it, and use it from the next start on."""
        body = await self._asked(
            request, build=(str, type(None)), tag=(str, type(None)), from_source=(bool,), anyway=(bool,)
        )
        tag = body.get("tag")
        await self._edge.note(request, "build installed", about=str(body.get("build") or "source")[:100])
        return self._start(
            {
                "do": "install",
                "build": body.get("build"),
                "tag": checked_tag(tag) if tag else None,
                "from_source": body.get("from_source", False),
                "anyway": body.get("anyway", False),
            }
        )

    async def use(self, request: Request) -> Response:
        """Try a build that is here, and use it from the next start on; `previous` rolls back."""
        body = await self._asked(request, build=(str,), anyway=(bool,))
        name = await self._known(body, (EMBEDDED_NAME, PREVIOUS))
        await self._edge.note(request, "build chosen", about=name)
        return self._start({"do": "use", "build": name, "anyway": body.get("anyway", False)})

    async def remove(self, request: Request) -> Response:
        """Remove a build and free its space."""
        name = await self._known(await self._asked(request, build=(str,)), ())
        await self._edge.note(request, "build removed", about=name)
        return self._start({"do": "remove", "build": name})

    async def job(self, request: Request) -> Response:
        """The job that runs or ran last; `after` leaves out the lines up to that number."""
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) <= _DIGITS_MOST):
            raise BadRequest(f"after is '{after[:40]}', which is not the number of a line.", param="after")
        job = self._edge.builds.job
        return JSONResponse({"job": _told(job, int(after)) if job else None})

    async def cancel(self, request: Request) -> Response:
        """End the running job; the active build stays as it is."""
        return JSONResponse(_told(self._edge.builds.cancel(), 0))

    def _start(self, order: dict[str, Any]) -> Response:
        return JSONResponse(_told(self._edge.builds.start(order), 0), status_code=_ACCEPTED)

    async def _asked(self, request: Request, **kinds: tuple[type, ...]) -> dict[str, Any]:
        """The body, whose fields must be of these kinds. Raises FieldInvalid."""
        body = await self._edge.body(request)
        for name, value in body.items():
            if name not in kinds:
                raise FieldInvalid(f"{shown(name)} is no field here. Fields: {', '.join(kinds)}.", param=name)
            if not isinstance(value, kinds[name]):
                raise FieldInvalid(f"{name}: must be {_NAMES[kinds[name][0]]} (got {shown(value)}).", param=name)
        return body

    async def _known(self, body: dict[str, Any], also: tuple[str, ...]) -> str:
        """The name of a build that is here. Raises FieldInvalid or BuildUnknown."""
        name: str | None = body.get("build")
        if name is None:
            raise FieldInvalid("build: must name a build of `GET /api/engines`.", param="build")
        if name in also:
            return name
        return (await anyio.to_thread.run_sync(Builds(self._edge.settings.home).find, name)).name

    def _here(self) -> dict[str, Any]:
        builds, fault = Builds(self._edge.settings.home), None
        try:
            pointer = builds.pointer()
        except BuildBroken as error:
            pointer, fault = Pointer(), error.message
        return {
            "running": self._edge.engine,
            "active": pointer.active or EMBEDDED_NAME,
            "previous": pointer.previous,
            "is_chosen_by_setting": bool(self._edge.settings.engine),
            "pinned_tag": shipped().tag,
            "fault": fault,
            "builds": [_entry(builds, build) for build in builds.all()],
        }


_NAMES: dict[type, str] = {str: "text", bool: "true or false"}


def routes(edge: Edge) -> list[Route]:
    """The routes of builds."""
    own = _Engines(edge)
    return [
        Route("/api/engines", own.listed),
        Route("/api/engines/look", own.look, methods=["POST"]),
        Route("/api/engines/install", own.install, methods=["POST"]),
        Route("/api/engines/use", own.use, methods=["POST"]),
        Route("/api/engines/remove", own.remove, methods=["POST"]),
        Route("/api/engines/job", own.job),
        Route("/api/engines/job/cancel", own.cancel, methods=["POST"]),
    ]


def _entry(builds: Builds, build: Build) -> dict[str, Any]:
    return {**entry(build, builds.folder / build.name), "is_whole": build.binary.is_file()}


def _told(job: Job, after: int) -> dict[str, Any]:
    """A job as it stands. Lines are numbered from 1 on; `lines` are those after a number."""
    per_s, left = job.per_s, (job.total or 0) - (job.done or 0)
    return {
        "number": job.number,
        "do": job.order["do"],
        "build": job.order.get("build"),
        "state": job.state,
        "begun_s": job.begun_s,
        "ended_s": job.ended_s,
        "lines": job.lines[max(0, after - job.lines_gone) :],
        "last_line": job.lines_gone + len(job.lines),
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "per_s": per_s,
        "seconds_left": round(left / per_s) if per_s else None,
        "result": job.result,
        "error": job.error,
    }
