"""Owns taking values out of JSON that others made, whatever they put there; refuses to know any format. Pure."""

from __future__ import annotations

import hashlib
import math
from typing import Any, cast

Json = dict[str, Any]
_MS_FROM = 1e11
_TITLE_MOST = 200


def thing(value: object) -> Json:
    """An object; an empty one where it is none."""
    return cast("Json", value) if isinstance(value, dict) else {}


def things(value: object) -> list[Any]:
    """An array; an empty one where it is none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def words(value: object) -> str:
    """A text; an empty one where it is none. Halves of pairs and NUL, which no database holds, are replaced."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def title_of(value: object) -> str:
    """A title, on one line and not too long."""
    return " ".join(words(value).split())[:_TITLE_MOST]


def time_s(value: object) -> float:
    """A time in seconds since 1970, of seconds or milliseconds; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        found = float(value)
    except OverflowError:
        return 0.0
    found = found / 1000 if found > _MS_FROM else found
    return found if math.isfinite(found) and 0 < found < _MS_FROM else 0.0


def id_of(*names: object) -> str:
    """An id that is the same each time for the same names, so that what is brought again is known."""
    return hashlib.blake2b("\x1f".join(map(str, names)).encode("utf-8", "replace"), digest_size=16).hexdigest()


def text_part(text: str) -> Json:
    """A part of a message that is words."""
    return {"type": "text", "text": text}


def with_thoughts(text: str) -> list[Json]:
    """The parts of an answer whose thoughts stand before it between <think> tags, as data sets have them."""
    before, opened, after = text.partition("<think>")
    thoughts, closed, rest = after.partition("</think>")
    if before.strip() or not opened or not closed:
        return [text_part(text)]
    made: list[Json] = [{"type": "reasoning", "text": thoughts.strip()}] if thoughts.strip() else []
    return [*made, text_part(rest.lstrip())] if rest.strip() else made


def chat(key: str, **more: Any) -> Json:
    """A chat as it is brought: these fields, and the usual value of every other one."""
    usual: Json = {
        "id": key, "title": "", "folder": None, "created_s": 0.0, "updated_s": 0.0, "pinned": False, "archived": False,
        "settings": {}, "leaf_id": None, "messages": [], "attachments": [], "left_out": [],
    }  # fmt: skip
    return {**usual, **more}


def message(key: str, parent_id: str | None, role: str, content: list[Json], **more: Any) -> Json:
    """A message as it is brought."""
    usual: Json = {"model": None, "created_s": 0.0, "status": "complete"}
    return {"id": key, "parent_id": parent_id, "role": role, "content": content, **usual, **more}
