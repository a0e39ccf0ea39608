"""Owns what a server of tools says, as paddock uses it: tools that models can call, results as text and files. Pure.

Refuses to know how it was asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from paddock.protocol.schema_checking import unusable
from paddock.protocol.shape import as_object, objects_in

Json = dict[str, Any]

# As dialects take a tool's name.
_NAME_CHARACTERS_MOST = 64
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_TOOLS_MOST = 200
_SCHEMA_BYTES_MOST = 64 * 2**10
_DESCRIPTION_CHARACTERS_MOST = 4000
_FAULT_CHARACTERS_MOST = 500
_FILES_MOST = 16


class ToolFault(Exception):
    """What is wrong with a server of tools, as what follows its name. `has_ended`: it must be begun anew."""

    def __init__(self, why: str, *, has_ended: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.has_ended = has_ended


@dataclass(frozen=True, kw_only=True)
class Offered:
    """One tool of a server. `name` is what models call it, `own_name` what its server does."""

    name: str
    own_name: str
    description: str
    parameters: Json
    is_read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The tools of a server, and those that cannot be offered with why."""

    offered: tuple[Offered, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Made:
    """A file in an answer of a server: its bytes, and a name for it that ends as its kind does."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer of a server: what it says, and files that came with it."""

    text: str
    is_error: bool = False
    files: tuple[Made, ...] = field(default=())


def shortened(text: str) -> str:
    """A stranger's words on one line that is not long."""
    line = "".join(one if one.isprintable() else " " for one in text[: 2 * _FAULT_CHARACTERS_MOST])
    return line if len(line) <= _FAULT_CHARACTERS_MOST else f"{line[: _FAULT_CHARACTERS_MOST - 1]}…"


def listing(server: str, tools: Sequence[Json]) -> Listing:
    """What a server lists, as it can be offered."""
    offered: dict[str, Offered] = {}
    left_out: list[tuple[str, str]] = []
    for tool in tools:
        own = str(tool.get("name") or "")
        why = _why_not(tool) or ("" if len(offered) < _TOOLS_MOST else f"a server may offer {_TOOLS_MOST} tools")
        name = name_for(server, own)
        if name in offered:
            why = why or "another tool of this server has its name"
        if why:
            left_out.append((shortened(own)[:100] or "(no name)", why))
            continue
        described = str(tool.get("description") or tool.get("title") or own)
        offered[name] = Offered(
            name=name,
            own_name=own,
            description=described[:_DESCRIPTION_CHARACTERS_MOST],
            parameters=_parameters(tool),
            is_read_only=(as_object(tool.get("annotations")) or {}).get("readOnlyHint") is True,
        )
    return Listing(offered=tuple(offered.values()), left_out=tuple(left_out[:_TOOLS_MOST]))


def name_for(server: str, own: str) -> str:
    """`mcp__SERVER__TOOL`, in characters that a tool's name may have; what was changed is told apart by a digest."""
    fit = _UNFIT.sub("_", own)
    whole = f"mcp__{server}__{fit}"
    if fit == own and len(whole) <= _NAME_CHARACTERS_MOST:
        return whole
    mark = hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{whole[: _NAME_CHARACTERS_MOST - len(mark) - 1]}_{mark}"


def _why_not(tool: Json) -> str:
    """Why a tool cannot be offered; "" where it can."""
    if not tool.get("name"):
        return "it has no name"
    schema = as_object(tool.get("inputSchema"))
    if schema is None or schema.get("type", "object") != "object":
        return "its schema describes no object"
    try:
        size_bytes = len(json.dumps(schema).encode())
    except (ValueError, RecursionError):
        return "its schema cannot be read"
    if size_bytes > _SCHEMA_BYTES_MOST:
        return f"its schema has {size_bytes} bytes; at most {_SCHEMA_BYTES_MOST} are taken"
    if why := unusable(schema):
        return f"its schema cannot be used: {why}"
    return ""


def _parameters(tool: Json) -> Json:
    schema = cast("Json", tool["inputSchema"])
    return {**schema, "type": "object", "properties": as_object(schema.get("properties")) or {}}


def said(server: str, result: Mapping[str, Any]) -> Said:
    """The result of a call, as what a model reads and files."""
    texts: list[str] = []
    files: list[Made] = []
    for block in objects_in(result.get("content")):
        text, made = _block(server, block)
        if made is not None and len(files) >= _FILES_MOST:
            text, made = f"[left out: an answer may hold {_FILES_MOST} files]", None
        texts += [text] if text else []
        files += [made] if made else []
    if not texts and not files and result.get("structuredContent") is not None:
        texts.append(json.dumps(result["structuredContent"], ensure_ascii=False))
    return Said(text="\n".join(texts) or "(nothing)", is_error=result.get("isError") is True, files=tuple(files))


def contents(server: str, result: Mapping[str, Any]) -> Said:
    """What a resource holds."""
    blocks = [{"type": "resource", "resource": one} for one in objects_in(result.get("contents"))]
    return said(server, {"content": blocks})


def _block(server: str, block: Json) -> tuple[str, Made | None]:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or ""), None
    if kind in ("image", "audio"):
        return _file(server, block.get("data"), block.get("mimeType"))
    if kind == "resource_link":
        return f"[resource {shortened(str(block.get('uri')))}]", None
    resource = as_object(block.get("resource"))
    if kind == "resource" and resource is not None:
        if "text" in resource:
            return str(resource["text"]), None
        return _file(server, resource.get("blob"), resource.get("mimeType"))
    return f"[{shortened(str(kind))[:40]}, which cannot be shown]", None


def _file(server: str, data: object, media_type: object) -> tuple[str, Made | None]:
    try:
        found = base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError):
        return "[a file that cannot be read]", None
    ending = mimetypes.guess_extension(str(media_type or "").partition(";")[0].strip().lower()) or ".bin"
    name = f"mcp/{server}-{hashlib.sha256(found).hexdigest()[:12]}{ending}"
    return f"[file {name}, {len(found)} bytes]", Made(name=name, data=found)
