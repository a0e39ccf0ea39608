"""Owns reading what a request to the page's chats asks for, and writing what it is told; decides nothing."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from paddock.api.described import ID
from paddock.api.edge import Edge
from paddock.api.schemas import check
from paddock.errors import BadRequest, ChatUnknown, FieldInvalid, shown
from paddock.serving.chats import new_id

__all__ = ["choice", "new_id", "path_id", "query_id", "read", "told", "whole"]
Schema = TypeVar("Schema", bound=BaseModel)
_ID = re.compile(f"{ID[:-1]}\\Z")


class _Json(JSONResponse):
    """What was said with halves of a pair in it is told with question marks for them."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def told(content: dict[str, Any], status: int = 200) -> Response:
    """An answer."""
    return _Json(content, status_code=status)


async def read(edge: Edge, request: Request, schema: type[Schema]) -> Schema:
    """The body, checked. Raises BodyTooLarge, BadRequest or FieldInvalid."""
    return check(schema, await edge.body(request))


def path_id(request: Request, name: str = "id", what: str = "chat") -> str:
    """An id of the path; what cannot be one is not there. Raises ChatUnknown."""
    found: str = request.path_params[name]
    if not _ID.match(found):
        raise ChatUnknown(what, found)
    return found


def query_id(request: Request, name: str) -> str | None:
    """An id of the query. Raises FieldInvalid where it cannot be one."""
    found = request.query_params.get(name)
    if found is not None and not _ID.match(found):
        raise FieldInvalid(f"{name}: {shown(found)} is no id: 8 to 64 of A-Z a-z 0-9 _ -.", param=name)
    return found


def choice(request: Request, name: str, words: tuple[str, ...], usual: str) -> Any:
    """One of these words of the query. Raises BadRequest."""
    found = request.query_params.get(name, usual)
    if found not in words:
        raise BadRequest(f"{name} is {shown(found)}; it must be one of {', '.join(words)}.", param=name)
    return found


def whole(request: Request, name: str, usual: int, least: int, most: int) -> int:
    """A whole number of the query. Raises BadRequest."""
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not text.isdecimal() or not text.isascii() or len(text) > 9 or not least <= int(text) <= most:
        raise BadRequest(f"{name} is {shown(text)}; it must be a whole number from {least} to {most}.", param=name)
    return int(text)
