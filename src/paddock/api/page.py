"""Owns handing out the page: its files from the package, its one document for every address of its own.

Refuses to know what the page shows. A missing file of the page is a 404 and never the document, or a tab that was
opened before an upgrade would run HTML as a script.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from paddock import __version__

FOLDER = Path(__file__).resolve().parents[1] / "_page"
# The addresses at which the page shows something; `web/src/router.tsx` has the same, and a test compares them.
PATHS = (
    "/",
    "/chat/{id}",
    "/models",
    "/training",
    "/training/new",
    "/training/{id}",
    "/exports",
    "/exports/new",
    "/exports/{id}",
    "/evaluations",
    "/evaluations/{id}",
    "/knowledge",
    "/knowledge/{id}",
    "/playground",
    "/requests",
    "/keys",
    "/connect",
    "/tool-servers",
    "/engines",
    "/system",
    "/settings",
    "/users",
    "/welcome",
)
# Styles may stand in attributes, since libraries place things by them; style sheets come from here alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; frame-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
}
_MISSING = (
    "<!doctype html><title>paddock</title><p>paddock is running, but this copy of it was made without its page. "
    "Install it from a wheel, or build the page with <code>python3 tools/build_page.py</code>. The API works: "
    '<a href="/openapi.json">its description</a>.'
)


_FILES = frozenset(("/theme.js", "/icon.svg", "/licenses.txt"))
_OPEN = _FILES | {"/health", "/health/ready"}


def is_open(path: str) -> bool:
    """Whether anyone may load it, from a link elsewhere and without a key: the page itself, and the signs of life.

    The page holds nothing of its owner: whatever it shows it asks the other routes for.
    """
    return path in _OPEN or path in PATHS or path.startswith(("/assets/", "/chat/", "/training/", "/exports/"))


def routes(folder: Path = FOLDER) -> list[Route]:
    """The routes of the page whose built files lie in `folder`."""
    files = _files(folder)

    async def document(request: Request) -> Response:
        if request.url.path == "/" and not _wants_html(request):
            return JSONResponse({"name": "paddock", "version": __version__, "openai_base": "/v1"})
        index = files.get("/index.html")
        if index is None:
            return Response(_MISSING, status_code=503, media_type="text/html", headers=_SAFE)
        return index.answer(request)

    async def file(request: Request) -> Response:
        found = files.get(request.url.path)
        if found is None:
            return Response("There is no such file. Load the page again.", status_code=404, media_type="text/plain")
        return found.answer(request)

    named = (Route(path, file) for path in (*sorted(_FILES), "/assets/{name}"))
    return [*(Route(path, document) for path in PATHS), *named]


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of the page, and its gzipped copy where there is one."""

    path: Path
    is_named_by_content: bool
    gzipped: Path | None

    def answer(self, request: Request) -> Response:
        """The file, smaller where the client can read that. Other hashes mean other names, so some never change."""
        kind = mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"
        headers = dict(_SAFE)
        headers["cache-control"] = "public, max-age=31536000, immutable" if self.is_named_by_content else "no-cache"
        path = self.path
        if self.gzipped:
            headers["vary"] = "accept-encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                path, headers["content-encoding"] = self.gzipped, "gzip"
        answer = FileResponse(path, media_type=kind, headers=headers)
        if request.headers.get("if-none-match") == _etag(path):
            return Response(status_code=304, headers={**headers, "etag": _etag(path)})
        answer.headers["etag"] = _etag(path)
        return answer


def _etag(path: Path) -> str:
    about = path.stat()
    return f'"{about.st_size:x}-{about.st_mtime_ns:x}"'


def _files(folder: Path) -> Mapping[str, _File]:
    """Every file of the page by the path it is asked for; listed once, so that no name can lead elsewhere."""
    found: dict[str, _File] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".gz", ".sha256")):
                continue
            path = Path(root, name)
            asked = f"/{path.relative_to(folder).as_posix()}"
            gzipped = path.with_name(f"{name}.gz")
            found[asked] = _File(
                path=path,
                is_named_by_content=asked.startswith("/assets/"),
                gzipped=gzipped if gzipped.is_file() else None,
            )
    return found


def _wants_html(request: Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")
