"""Owns `GET /api/models/{id}/fit`: whether a model would fit, in numbers and words; loads nothing."""

from __future__ import annotations

from collections.abc import Mapping

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.edge import Edge
from paddock.errors import BadRequest, shown
from paddock.models.fit import KV_TYPES
from paddock.serving.fitting import Question, entry, fitting

_MOST = {"ctx": 2**24, "slots": 64}


def routes(edge: Edge) -> list[Route]:
    """The route that tells whether a model fits."""

    async def fit(request: Request) -> Response:
        """Whether a model fits on this machine now, how it would be loaded, and why."""
        question = question_of(request.query_params)
        model = await edge.named(request)
        answer = await anyio.to_thread.run_sync(fitting, model, edge.settings, question)
        return JSONResponse(entry(answer))

    return [Route("/api/models/{id:path}/fit", fit)]


def question_of(query: Mapping[str, str]) -> Question:
    """What a person asks about a plan. Raises BadRequest."""
    kind = query.get("kv")
    if kind is not None and kind not in KV_TYPES:
        raise BadRequest(f"kv is {shown(kind)}; it must be one of {', '.join(KV_TYPES)}.", param="kv")
    return Question(context_tokens=_number(query, "ctx"), slots=_number(query, "slots"), kv_type=kind)


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and 1 <= int(text) <= _MOST[name]):
        raise BadRequest(f"{name} is {shown(text)}; it must be a whole number from 1 to {_MOST[name]}.", param=name)
    return int(text)
