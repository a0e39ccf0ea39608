"""Owns `GET /api/clients`: what each client needs to be pointed at this very address; knows no client itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.credentials import is_credential_needed
from paddock.api.described import Operation, Told, text
from paddock.api.edge import Edge
from paddock.api.models import entry, remote_entry
from paddock.clients.known import CLIENTS, Client, Target, needs
from paddock.engine.remotes import RemoteModel
from paddock.models.catalog import Model

# Of a remote's model that does not tell.
_ASSUMED_TOKENS = 16384
_ANY_WORD = "not-needed"
_KEY_OF_YOURS = "pdk-YOUR-KEY"


class FileShape(Told):
    """A client's file: where it lies in a person's home, and what it should say where there was none."""

    path: str
    text: str


class ClientShape(Told):
    """What one client needs. `prompt_tokens` is how long its first prompt is; 0 if short."""

    client: str
    title: str
    environment: dict[str, str]
    file: FileShape | None
    note: str
    program: str | None
    install: str | None
    command: str
    prompt_tokens: int


class ClientList(Told):
    """What every client needs to be pointed at `url` and `model`."""

    object: Literal["list"]
    url: str
    model: str
    context_length: int
    needs_key: bool
    data: list[ClientShape]


OPERATIONS: Mapping[str, Operation] = {
    "GET /api/clients": Operation(
        says="What each client needs to be pointed here.", answer=ClientList, query={"model": text()}
    ),
}


def routes(edge: Edge) -> list[Route]:
    """The route of clients."""

    async def listed(request: Request) -> Response:
        asked = request.query_params.get("model")
        model = await edge.find(asked)
        asks_key = is_credential_needed(edge.settings)
        target = Target(
            url=f"{request.url.scheme}://{request.url.netloc}",
            # A name that paddock understands is used as it was given: an alias is meant.
            model=asked or model.id,
            context_tokens=_context_tokens(edge, model) or _ASSUMED_TOKENS,
            key=_KEY_OF_YOURS if asks_key else _ANY_WORD,
        )
        found = [_entry(client, target) for client in CLIENTS]
        about = {"url": target.url, "model": target.model, "context_length": target.context_tokens}
        return JSONResponse({"object": "list", **about, "needs_key": asks_key, "data": found})

    return [Route("/api/clients", listed)]


def _entry(client: Client, target: Target) -> dict[str, Any]:
    return {
        **needs(client, target),
        "title": client.title,
        "program": client.program or None,
        "install": client.install or None,
        "command": f"paddock connect {client.name} --model {target.model}",
        "prompt_tokens": client.prompt_tokens,
    }


def _context_tokens(edge: Edge, model: Model | RemoteModel) -> int | None:
    shown = remote_entry(model) if isinstance(model, RemoteModel) else entry(edge, model)
    return shown["context_length"]
