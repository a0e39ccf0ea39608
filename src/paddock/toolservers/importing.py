"""Owns what files of Claude Desktop, Cursor and VS Code name as servers of tools; writes nothing, starts nothing.

Claude Desktop and Cursor have `mcpServers`, VS Code `servers` beside `inputs`, or both under `mcp` in its settings.
Comments and commas before a closing bracket, which VS Code takes, are taken. What a file leaves to be asked for
(`${input:key}`, `${env:KEY}`, folders of an editor) is given beside it, or its server is left out with what it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from paddock.errors import BadRequest, PaddockError
from paddock.protocol.shape import as_object
from paddock.toolservers.records import Record, checked

_SERVERS_MOST = 100
# Texts stay whole. What is not ended reaches to the file's end, so that nothing is read twice.
_STRING = r'"(?:\\.|[^"\\])*(?:"|\\?\Z)'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)
_PLACE = re.compile(r"\$\{([^{}]{1,200})\}")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a file names: servers with their secrets, and why others are left out, by their names in the file."""

    servers: list[tuple[Record, Mapping[str, str]]] = field(default_factory=list[tuple[Record, Mapping[str, str]]])
    left_out: dict[str, str] = field(default_factory=dict[str, str])


def found_in(text: str, inputs: Mapping[str, str]) -> Found:
    """The servers that a file names. `inputs` are what it leaves to be asked for, by its names. Raises BadRequest."""
    named = _named(_read(text))
    found = Found()
    if len(named) > _SERVERS_MOST:
        raise BadRequest(f"The file names {len(named)} servers; at most {_SERVERS_MOST} are taken.", param="text")
    for own, entry in named.items():
        try:
            record, secrets = _server(own, as_object(entry) or {}, inputs)
            if any(record.name == other.name for other, _ in found.servers):
                raise BadRequest(f"another server of the file is {record.name} too")
            checked(record, secrets)
            found.servers.append((record, secrets))
        except PaddockError as error:
            found.left_out[own[:100]] = error.message
    return found


def _read(text: str) -> dict[str, Any]:
    try:
        plain = text.removeprefix("\ufeff")
        for left_out in (_COMMENT, _COMMA):
            plain = left_out.sub(lambda one: one[0] if one[0].startswith('"') else " ", plain)
        read = as_object(json.loads(plain))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The file is no JSON ({str(error)[:100]}).", param="text") from None
    if read is None:
        raise BadRequest("The file holds no object. Give one of Claude Desktop, Cursor or VS Code.", param="text")
    return read


def _named(read: dict[str, Any]) -> dict[str, Any]:
    within = as_object(read.get("mcp")) or {}
    for place in (read, within):
        for member in ("mcpServers", "servers"):
            if (found := as_object(place.get(member))) is not None:
                return found
    raise BadRequest(
        "The file names no servers: it has neither `mcpServers`, as Claude Desktop and Cursor write it, nor `servers`, "
        "as VS Code does.",
        param="text",
    )


def _server(own: str, entry: dict[str, Any], inputs: Mapping[str, str]) -> tuple[Record, Mapping[str, str]]:
    """One server of a file. Raises BadRequest."""
    kind = entry.get("type") or entry.get("transport")
    if kind == "sse":
        raise BadRequest("it speaks the older way over HTTP (sse), which is no longer used. Ask for its newer address")
    url = _filled(_text(entry.get("url") or entry.get("serverUrl")), inputs)
    arguments = cast("list[Any]", entry.get("args") if isinstance(entry.get("args"), list) else [])
    values = as_object(entry.get("headers") if url else entry.get("env")) or {}
    if "envFile" in entry:
        raise BadRequest("it takes its environment from another file (envFile). Give the values as env")
    kept: dict[str, str] = {}
    record = Record(
        name=_name(own),
        command="" if url else _filled(_text(entry.get("command")), inputs),
        # What is asked for may be a secret, and arguments are shown.
        arguments=() if url else tuple(_filled(_text(one), inputs, kept) for one in arguments),
        folder="" if url else _filled(_text(entry.get("cwd")), inputs),
        url=url,
        # Whoever wrote such an address said so.
        is_private=_is_here(url),
    )
    return record, {**kept, **{name: _filled(_text(value), inputs) for name, value in values.items()}}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _filled(text: str, inputs: Mapping[str, str], kept: dict[str, str] | None = None) -> str:
    """A text with what was asked for in it; or, given `kept`, with a name for it by which it stands there.

    Raises:
        BadRequest: something was not given.
    """

    def value(place: re.Match[str]) -> str:
        name = place[1].removeprefix("input:")
        for asked in (name, place[1]):
            if asked in inputs and kept is None:
                return inputs[asked]
            if asked in inputs and kept is not None:
                kept[f"input:{name}"] = inputs[asked]
                return f"${{input:{name}}}"
        raise BadRequest(f"it needs {name}, which the file leaves to be asked for. Give it as an input", param="inputs")

    return _PLACE.sub(value, text)


def _name(own: str) -> str:
    """A name for it here, made of its own."""
    return "-".join(_WORD.findall(own.lower()))[:30].strip("-")


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False
