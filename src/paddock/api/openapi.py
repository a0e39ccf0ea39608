"""Owns `GET /openapi.json`: what the routes take, for programs that read such descriptions; refuses to check anything.

The bodies of Messages, Responses and Ollama's routes are checked by their converters. What stands here of them is
what a program needs to make a request, not every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock import __version__
from paddock.api.described import JSON, Error, Operation
from paddock.api.schemas import ChatRequest, CompletionRequest, EmbeddingRequest

_TEXT = {"type": "string"}
_BLOCKS = {"anyOf": [_TEXT, {"type": "array", "items": {"type": "object"}}]}
_TOOLS = {"type": "array", "items": {"type": "object"}}


def _object(required: Sequence[str] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_MESSAGE = _object(("role", "content"), role={"enum": ["user", "assistant", "system"]}, content=_BLOCKS)
_MESSAGES = _object(
    ("model", "messages", "max_tokens"),
    model=_TEXT,
    messages={"type": "array", "items": _MESSAGE, "minItems": 1},
    max_tokens={"type": "integer", "minimum": 1},
    system=_BLOCKS,
    tools=_TOOLS,
    tool_choice={"type": "object"},
    stop_sequences={"type": "array", "items": _TEXT},
    temperature={"type": "number"},
    top_p={"type": "number"},
    top_k={"type": "integer"},
    thinking={"type": "object"},
    stream={"type": "boolean"},
)
_RESPONSE = _object(
    ("input",),
    model=_TEXT,
    input=_BLOCKS,
    instructions=_TEXT,
    previous_response_id=_TEXT,
    tools=_TOOLS,
    max_output_tokens={"type": "integer", "minimum": 1},
    temperature={"type": "number"},
    top_p={"type": "number"},
    text={"type": "object"},
    reasoning={"type": "object"},
    store={"type": "boolean"},
    background={"type": "boolean"},
    stream={"type": "boolean"},
)
_OLLAMA_CHAT = _object(("model", "messages"), model=_TEXT, messages={"type": "array"}, stream={"type": "boolean"})
_BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": _MESSAGES,
    "/v1/responses": _RESPONSE,
    "/v1/responses/input_tokens": _RESPONSE,
    "/v1/rerank": _object(("query", "documents"), query=_TEXT, documents={"type": "array", "items": _TEXT}),
    "/tokenize": _object(("content",), content=_TEXT),
    "/detokenize": _object(("tokens",), tokens={"type": "array", "items": {"type": "integer"}}),
    "/apply-template": _object(("messages",), messages={"type": "array", "items": {"type": "object"}}),
    "/infill": _object((), input_prefix=_TEXT, input_suffix=_TEXT, prompt=_TEXT),
    "/api/chat": _OLLAMA_CHAT,
    "/api/generate": _object(("model",), model=_TEXT, prompt=_TEXT, stream={"type": "boolean"}),
    "/api/embed": _object(("model", "input"), model=_TEXT, input=_BLOCKS),
    "/api/downloads": _object(("model",), model=_TEXT),
    "/api/show": _object(("model",), model=_TEXT),
}
_CHECKED = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/v1/embeddings": EmbeddingRequest,
}


def route(others: Sequence[Route], operations: Mapping[str, Operation]) -> Route:
    """The route that describes the others; `operations` are those that say more of themselves, as "GET /path"."""
    made: list[dict[str, Any]] = []

    async def described(request: Request) -> Response:
        if not made:
            made.append(document(others, operations))
        return JSONResponse(made[0])

    return Route("/openapi.json", described)


def document(routes: Sequence[Route], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 description of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    shared: dict[str, Any] = {}
    for found in routes:
        path = found.path.replace(":path}", "}")
        for method in sorted((found.methods or set()) - {"HEAD"}):
            told = operations.get(f"{method} {path}")
            made = _told(path, method, told, shared) if told else _operation(path, method, shared)
            paths.setdefault(path, {})[method.lower()] = made
    return {
        "openapi": "3.1.0",
        "info": {"title": "paddock", "version": __version__},
        "paths": paths,
        "components": {"schemas": shared},
    }


def _operation(path: str, method: str, shared: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()} {path}",
        "responses": {"default": {"description": "The answer, or an error in the shape of the route's dialect."}},
    }
    if places := _places(path):
        operation["parameters"] = places
    if method == "POST":
        operation["requestBody"] = {"content": {"application/json": {"schema": _body_of(path, shared)}}}
    return operation


def _places(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


def _told(path: str, method: str, told: Operation, shared: dict[str, Any]) -> dict[str, Any]:
    """An operation that says what it takes and answers."""
    asked = [
        {"name": name, "in": "query", "required": name in told.needs, "schema": schema}
        for name, schema in told.query.items()
    ]
    answer = _shared(told.answer, shared) if told.answer else _TEXT
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()} {path}",
        "summary": told.says,
        "parameters": [*_places(path), *asked],
        "responses": {
            str(told.status): {"description": told.says, "content": {told.kind: {"schema": answer}}},
            "default": {"description": "An error.", "content": {JSON: {"schema": _shared(Error, shared)}}},
        },
    }
    if told.body or told.takes:
        schema = _shared(told.body, shared) if told.body else {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {told.takes or JSON: {"schema": schema}}}
    if told.status == 201:
        # What was there just so already is told as what it is, not as made.
        operation["responses"]["200"] = operation["responses"]["201"]
    return operation


def _shared(schema: type[BaseModel], shared: dict[str, Any]) -> dict[str, Any]:
    """A reference to a schema, which is added to those that are shared, with what it refers to."""
    made = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    shared.update(made.pop("$defs", {}))
    shared[schema.__name__] = made
    return {"$ref": f"#/components/schemas/{schema.__name__}"}


def _body_of(path: str, shared: dict[str, Any]) -> dict[str, Any]:
    return _shared(_CHECKED[path], shared) if path in _CHECKED else _BODIES.get(path, {"type": "object"})
