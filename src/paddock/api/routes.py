"""Owns the table of routes and what each may be asked; refuses to decide anything about models or processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from paddock import __version__
from paddock.api import faults, guard
from paddock.api.body import read_object
from paddock.api.schemas import ChatRequest, CompletionRequest, EmbeddingRequest, check
from paddock.config import Settings
from paddock.engine.pool import Pool
from paddock.errors import BadRequest, PaddockError
from paddock.models.catalog import Model
from paddock.protocol.normalize import normalize
from paddock.serving import choice, images
from paddock.serving.prepare import prepare, refuse_unsupported
from paddock.serving.relay import Dialect, Patience, Relay
from paddock.serving.shelf import Shelf

OPENAI = Dialect(refuse=guard.refuse_openai, error_frame=faults.openai_frame)


@dataclass(frozen=True, kw_only=True)
class Api:
    """The OpenAI lane over one pool of engines."""

    settings: Settings
    shelf: Shelf
    pool: Pool

    async def chat(self, request: Request) -> ASGIApp:
        """`POST /v1/chat/completions`."""
        body = await self._body(request)
        normalized: list[str] = []
        lenient = not self.settings.strict_wire
        if lenient and isinstance(body.get("messages"), list):
            body["messages"], normalized = normalize(body["messages"])
        check(ChatRequest, body, lenient=lenient)
        refuse_unsupported(body)
        images.check_sources(body)
        model = await self._text_model(body)
        prepared = choice.narrow(prepare("/v1/chat/completions", body, normalized=tuple(normalized)))
        return self._relay(prepared, model)

    async def completions(self, request: Request) -> ASGIApp:
        """`POST /v1/completions`."""
        body = await self._body(request)
        check(CompletionRequest, body)
        return self._relay(prepare("/v1/completions", body), await self._text_model(body))

    async def embeddings(self, request: Request) -> ASGIApp:
        """`POST /v1/embeddings`."""
        body = await self._body(request)
        check(EmbeddingRequest, body)
        model = await self.shelf.find(body.get("model"))
        if not model.is_embedding:
            raise BadRequest(
                f"The model '{model.id}' answers in text and makes no embeddings. Name an embedding model, "
                "for example one from `paddock pull`.",
                param="model",
            )
        return self._relay(prepare("/v1/embeddings", body), model)

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        data = [self._entry(model) for model in await self.shelf.models()]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`."""
        return JSONResponse(self._entry(await self.shelf.find(request.path_params["id"])))

    async def health(self, request: Request) -> Response:
        """`GET /health`: whether paddock answers, and what its engine is doing."""
        engine = self.pool.engine
        state = engine.state if engine else "stopped"
        return JSONResponse({"status": "ok", "name": "paddock", "version": __version__, "engine": state})

    async def root(self, request: Request) -> Response:
        """`GET /` and `HEAD /`: a sign of life for clients that probe the address."""
        return JSONResponse({"name": "paddock", "version": __version__, "openai_base": "/v1"})

    async def _body(self, request: Request) -> dict[str, Any]:
        return await read_object(request, limit_bytes=self.settings.max_body_bytes)

    async def _text_model(self, body: dict[str, Any]) -> Model:
        model = await self.shelf.find(body.get("model"))
        if model.is_embedding:
            raise BadRequest(
                f"The model '{model.id}' makes embeddings and does not answer in text. Use /v1/embeddings with it.",
                param="model",
            )
        return model

    def _relay(self, prepared: Any, model: Model) -> Relay:
        settings = self.settings
        patience = Patience(
            status_deadline_s=settings.status_deadline_s,
            keepalive_s=settings.keepalive_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        return Relay(prepared, pool=self.pool, model_id=model.id, dialect=OPENAI, patience=patience)

    def _entry(self, model: Model) -> dict[str, Any]:
        """One model as `/v1/models` shows it; its context is the running engine's own where it runs."""
        resident = self.pool.resident
        is_loaded = self.pool.is_ready(model.id)
        abilities = resident.abilities if resident and is_loaded else None
        context_tokens = abilities.context_tokens if abilities else self.shelf.context_tokens(model)
        return {
            "id": model.id,
            "object": "model",
            "created": int(model.created_s),
            "owned_by": "paddock",
            "context_length": context_tokens,
            "trained_context_length": model.trained_context_tokens,
            "capabilities": ["embeddings"] if model.is_embedding else ["chat", "completions"],
            "quantization": model.quantisation,
            "size_bytes": model.size_bytes,
            "loaded": is_loaded,
        }


def application(api: Api) -> ASGIApp:
    """The whole HTTP application, behind its guard."""
    routes = [
        Route("/v1/chat/completions", _relayed(api.chat), methods=["POST"]),
        Route("/v1/completions", _relayed(api.completions), methods=["POST"]),
        Route("/v1/embeddings", _relayed(api.embeddings), methods=["POST"]),
        Route("/v1/models", api.models),
        Route("/v1/models/{id:path}", api.model),
        Route("/health", api.health),
        Route("/", api.root),
    ]
    lanes = {route.path: route.endpoint for route in routes if "POST" in (route.methods or ())}
    inner = Starlette(
        routes=routes, exception_handlers={HTTPException: _unrouted, PaddockError: _refused, Exception: _refused}
    )
    # A request sent to a mistyped path is refused rather than redirected: clients drop the body of a redirected POST.
    inner.router.redirect_slashes = False
    origins = frozenset(
        origin.strip().rstrip("/") for origin in api.settings.allowed_origins.split(",") if origin.strip()
    )
    return guard.Guard(
        _Lanes(inner, lanes), host=api.settings.host, allowed_origins=origins, refuse=guard.refuse_openai
    )


class _Lanes:
    """Calls the relayed routes itself: Starlette's layers cost each stream memory, and each chunk time."""

    def __init__(self, rest: ASGIApp, relayed: Mapping[str, Callable[[Request], Awaitable[ASGIApp]]]) -> None:
        self._rest = rest
        self._relayed = relayed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is raised is the guard's to tell."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._relayed.get(scope["path"]) if is_post else None
        if endpoint is None:
            await self._rest(scope, receive, send)
        else:
            await (await endpoint(Request(scope, receive)))(scope, receive, send)


def _relayed(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Starlette calls whatever an endpoint returns as an ASGI application; its types say Response."""
    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    """An error before the first byte; what is not ours becomes a 500 that tells no internals."""
    status, body = guard.refuse_openai(error)
    return Response(body, status_code=status, media_type="application/json")


async def _unrouted(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the shape of every other error."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = f"There is no {request.method} {request.url.path[:200]}. The routes are listed in docs/api.md."
    elif error.status_code == 405:
        message = f"{request.url.path} does not take {request.method}."
    else:
        message = error.detail
    body = {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": _CODES.get(error.status_code),
        }
    }
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


_CODES = {404: "unknown_path", 405: "method_not_allowed"}
