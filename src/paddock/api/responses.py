"""Owns the routes of Responses; refuses to know how a prepared request is answered, or where responses are kept."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.api.looped import exchange as exchange_of
from paddock.api.looped import prepared_chat
from paddock.api.recording import carried
from paddock.clock import stamp_s
from paddock.engine.remotes import RemoteModel
from paddock.errors import BadRequest
from paddock.models.catalog import Model
from paddock.protocol.responses import ResponsesForm, to_chat
from paddock.protocol.responses_answer import ResponsesPassage
from paddock.protocol.responses_object import Snapshot
from paddock.protocol.responses_timings import Stopwatch
from paddock.recorder.recording import Recording
from paddock.serving.prepare import Prepared
from paddock.serving.responses import Then, Work
from paddock.serving.runs import Replay, Run


class _Json(JSONResponse):
    """What was said with halves of a pair in it is told as in the answer itself: with question marks for them."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def routes(edge: Edge) -> list[Route]:
    """The routes of OpenAI's Responses."""

    async def create(request: Request) -> ASGIApp:
        return await _created(edge, await edge.body(request), request.scope.get("paddock.recording"))

    async def one(request: Request) -> ASGIApp:
        response_id = request.path_params["id"]
        if request.query_params.get("stream") != "true":
            return _Json(await edge.responses.find(response_id))
        events = await edge.responses.events(response_id, _whole(request, "starting_after", -1))
        return Replay(events, keepalive_s=edge.settings.keepalive_s)

    async def delete(request: Request) -> Response:
        await edge.responses.delete(request.path_params["id"])
        return JSONResponse({"id": request.path_params["id"], "object": "response", "deleted": True})

    async def cancel(request: Request) -> Response:
        return _Json(await edge.responses.cancel(request.path_params["id"]))

    async def input_items(request: Request) -> Response:
        items = await edge.responses.items(request.path_params["id"])
        return _Json(_page(request, items))

    async def input_tokens(request: Request) -> Response:
        form = await _form(edge, {"input": "", **await edge.body(request)}, "resp_count")
        prepared, model = await edge.addressed(await _prepared(edge, form))
        tokens = await attended(request, lambda: edge.count(prepared, model))
        return JSONResponse({"object": "response.input_tokens", "input_tokens": tokens})

    return [
        Route("/v1/responses", create, methods=["POST"]),
        Route("/v1/responses/input_tokens", input_tokens, methods=["POST"]),
        Route("/v1/responses/{id}", one, methods=["GET"]),
        Route("/v1/responses/{id}", delete, methods=["DELETE"]),
        Route("/v1/responses/{id}/cancel", cancel, methods=["POST"]),
        Route("/v1/responses/{id}/input_items", input_items, methods=["GET"]),
    ]


async def _created(edge: Edge, body: dict[str, Any], recording: Recording | None) -> ASGIApp:
    """The answer to a new response: its exchange, stored or not, or its state while it goes on in the background."""
    is_background = body.get("background") is True
    if is_background and body.get("store") is False:
        raise BadRequest("A background response must be stored: leave 'store' out.", param="store")
    exchange, work = await _work(edge, body, new_id())
    if is_background:
        run = await _begun(edge, exchange, work, recording)
        if not body.get("stream"):
            return _Json(work.snapshot.response())
        return Replay(run.after(-1), keepalive_s=edge.settings.keepalive_s)
    return exchange if body.get("store") is False else edge.responses.kept(exchange, work)


def new_id() -> str:
    """An id for a response."""
    return f"resp_{secrets.token_hex(16)}"


async def in_background(
    edge: Edge, body: dict[str, Any], response_id: str, *, then: Then, recording: Recording | None = None
) -> Work:
    """Begin a background response as a request for one does; `then` is awaited at its end. Raises as that does.

    The request's own items are not kept with it: they are the caller's, and kept there.
    """
    exchange, work = await _work(edge, body, response_id)
    work = replace(work, items=[])
    await _begun(edge, exchange, work, recording, then)
    return work


async def as_chat(edge: Edge, body: dict[str, Any]) -> tuple[Prepared, Model | RemoteModel]:
    """A request for a response as its model is asked it, and that model. Raises as one does."""
    return await edge.addressed(await _prepared(edge, await _form(edge, body, "resp_read")))


async def _begun(
    edge: Edge, exchange: ASGIApp, work: Work, recording: Recording | None, then: Then | None = None
) -> Run:
    run = await edge.responses.begin(carried(exchange, recording), work, then=then)
    if recording:
        # Before anything is awaited: the run has not begun yet.
        recording.hold()
    return run


async def _work(edge: Edge, body: dict[str, Any], response_id: str) -> tuple[ASGIApp, Work]:
    """The exchange that answers a request, and what becomes of it."""
    is_background = body.get("background") is True
    is_streamed = is_background or bool(body.get("stream"))
    form = await _form(edge, {**body, "stream": True} if is_background else body, response_id)
    prepared, model = await edge.addressed(await _prepared(edge, form))
    snapshot = Snapshot(
        response_id=response_id,
        created_s=int(stamp_s()),
        model=str(body.get("model") or model.id),
        request=body,
        watch=Stopwatch(time.monotonic) if is_streamed else None,
    )
    exchange = exchange_of(edge, prepared, model, passage=ResponsesPassage(snapshot=snapshot, tools=form.tools))
    return exchange, Work(snapshot=snapshot, items=form.items)


async def _form(edge: Edge, body: dict[str, Any], response_id: str) -> ResponsesForm:
    previous = body.get("previous_response_id")
    history = await edge.responses.history(previous) if isinstance(previous, str) and previous else []
    return to_chat(body, response_id=response_id, history=history)


async def _prepared(edge: Edge, form: ResponsesForm) -> Prepared:
    prepared = await prepared_chat(edge, form.body)
    return replace(prepared, adapted=(*form.adapted, *prepared.adapted))


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise BadRequest(f"{name} is '{text[:40]}', which is not a whole number.", param=name)
    return int(text)


def _page(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of items, the newest first unless asked otherwise."""
    limit = _whole(request, "limit", 20)
    if not 1 <= limit <= 100:
        raise BadRequest(f"limit is {limit}; it must lie between 1 and 100.", param="limit")
    ordered = items if request.query_params.get("order") == "asc" else items[::-1]
    after = request.query_params.get("after")
    ids = [item["id"] for item in ordered]
    start = ids.index(after) + 1 if after in ids else 0
    page = ordered[start : start + limit]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return {"object": "list", "data": page, **ends, "has_more": len(ordered) > start + limit}
