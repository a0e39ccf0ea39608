"""Owns the routes of what the hub has: searching it, and what one repository holds; refuses to fetch anything.

Both ask the hub, and only when they are asked themselves.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock.api.attending import attended
from paddock.api.edge import Edge
from paddock.api.fit import question_of
from paddock.errors import BadRequest, PaddockError
from paddock.models.hub_cache import free_bytes
from paddock.models.hub_choice import Variant, choose, parse_spec, variants
from paddock.models.hub_search import Found
from paddock.scratch import private_folder
from paddock.serving.fitting import entry, foreseen

_WORDS_MOST_CHARACTERS = 200
_FOUND_MOST = 40


def routes(edge: Edge) -> list[Route]:
    """The routes that ask the hub."""

    async def search(request: Request) -> Response:
        words = request.query_params.get("q", "").strip()
        if not words or len(words) > _WORDS_MOST_CHARACTERS or not words.isprintable():
            raise BadRequest(
                f"q must be 1 to {_WORDS_MOST_CHARACTERS} characters to look for, such as 'qwen3 4b'.", param="q"
            )
        found = await attended(request, lambda: edge.downloads.search(words, most=_FOUND_MOST))
        return JSONResponse({"object": "list", "data": [_told(one) for one in found], "most": _FOUND_MOST})

    async def held(request: Request) -> Response:
        return JSONResponse(await attended(request, lambda: _held(edge, request.path_params["repo"])))

    async def fit(request: Request) -> Response:
        """Whether a model on the hub would fit, by the beginnings of its files, which are fetched for this."""
        question = question_of(request.query_params)
        spec = parse_spec(request.query_params.get("model", ""))
        name = spec.repo + (f":{spec.quant}" if spec.quant else "")
        async with private_folder(edge.settings.home) as folder:
            model_id, files, eyes = await attended(request, lambda: edge.downloads.headers(name, folder))
            answer = await anyio.to_thread.run_sync(foreseen, model_id, files, eyes, edge.settings, question)
        return JSONResponse({**entry(answer), "trained_context_length": answer.model.trained_context_tokens})

    return [
        Route("/api/hub/fit", fit, methods=["GET"]),
        Route("/api/hub/search", search, methods=["GET"]),
        Route("/api/hub/{repo:path}", held, methods=["GET"]),
    ]


def _told(found: Found) -> dict[str, Any]:
    told = asdict(found)
    gated, context_tokens = told.pop("is_gated"), told.pop("context_tokens")
    return {**told, "gated": gated, "trained_context_length": context_tokens}


async def _held(edge: Edge, repo: str) -> dict[str, Any]:
    """What a repository holds, with what paddock thinks and has of it."""
    spec = parse_spec(repo)
    listing = await edge.downloads.files_of(spec.repo)
    here = {model.id for model in await edge.shelf.models()}
    room = edge.shelf.room
    # Looked at once, beside the loop.
    await anyio.to_thread.run_sync(lambda: room.limits)
    under_way = {one.model: one for one in await edge.downloads.listed()}

    def told(variant: Variant) -> dict[str, Any]:
        model_id = f"{listing.repo}:{variant.quant}"
        download = under_way.get(model_id)
        return {
            "model": model_id,
            "quantization": variant.quant,
            "size_bytes": variant.size_bytes,
            "files": [file.name for file in variant.all_files],
            "projector": variant.projector.name if variant.projector else None,
            "verdict": room.verdict(variant.size_bytes),
            "is_here": model_id in here,
            "download": {"id": download.id, "state": download.state} if download else None,
        }

    usual = None
    with suppress(PaddockError):
        usual = choose(parse_spec(listing.repo), listing.files).quant
    found = sorted(variants(listing.files), key=lambda variant: variant.size_bytes)
    return {
        "repo": listing.repo,
        "revision": listing.revision,
        "licence": listing.licence,
        "gated": listing.is_gated,
        "trained_context_length": listing.context_tokens,
        "disk_free_bytes": await anyio.to_thread.run_sync(free_bytes, edge.downloads.cache),
        "usual": usual,
        "variants": [told(variant) for variant in found],
    }
