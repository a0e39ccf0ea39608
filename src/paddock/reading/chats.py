"""Owns recognising a file of chats by what is in it, and the forms that have no program of their own; writes nothing.

Forms: paddock's own export; ShareGPT and OpenAI's `messages`, as JSON or JSON lines; of ChatGPT, Open WebUI and
LM Studio, see `foreign.py`. Whatever a file holds, reading it raises Unreadable or gives chats.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from paddock.reading import foreign
from paddock.reading.faults import Unreadable
from paddock.reading.values import (
    Json,
    chat,
    id_of,
    message,
    text_part,
    thing,
    things,
    time_s,
    title_of,
    with_thoughts,
    words,
)

FORM, VERSION = "paddock-chats", 1
_UNZIPPED_MOST_BYTES = 512 * 2**20
_CHATS_MOST = 50_000
_MEMBER = "conversations.json"
_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "model": "assistant", "system": "system", "tool": "tool",
    "observation": "tool", "function_call": "assistant", "function_response": "tool", "developer": "system",
}  # fmt: skip
_UNKNOWN = (
    "Its form is not known: send an export of paddock, ChatGPT, Open WebUI or LM Studio, or ShareGPT as JSON or "
    "JSON lines."
)


def chats_in(source: Path) -> tuple[str, Iterator[Json]]:
    """The name of a file's form, and its chats. Raises Unreadable."""
    return recognised(_json_of(source))


def recognised(value: Any) -> tuple[str, Iterator[Json]]:
    """The name of a form, and the chats in it. Raises Unreadable."""
    if thing(value).get("format") == FORM:
        return FORM, _own(thing(value))
    found = things(value) or ([] if isinstance(value, list) else [value])
    if not found:
        raise Unreadable("There is no chat in it.")
    if len(found) > _CHATS_MOST:
        raise Unreadable(f"It holds {len(found)} chats, and {_CHATS_MOST} can be read at once. Send a part of it.")
    for name, is_of, read in _FORMS:
        if any(is_of(thing(one)) for one in found[:20]):
            return name, (made for place, one in enumerate(found) for made in read(place, thing(one)))
    raise Unreadable(_UNKNOWN)


def _json_of(source: Path) -> Any:
    with source.open("rb") as opened:
        head = opened.read(4)
    data = _unzipped(source) if head == b"PK\x03\x04" else source.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"It is no text in UTF-8: byte {error.start} is not. {_UNKNOWN}") from error
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_number)
    except ValueError as error:
        if "\n" not in text.strip():
            raise Unreadable(f"It is no JSON: {error}. {_UNKNOWN}") from error
    found: list[Any] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(json.loads(line, parse_constant=_refused, parse_float=_number))
            except ValueError as error:
                raise Unreadable(f"It is neither JSON nor JSON lines: line {number}: {error}.") from error
    return found


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _number(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(f"the number {written[:40]} is too large")
    return value


def _unzipped(source: Path) -> bytes:
    """The chats of a zip, as ChatGPT sends its export. What the zip says of its size is not believed."""
    try:
        with zipfile.ZipFile(source) as packed:
            name = next((one for one in packed.namelist() if one.rpartition("/")[2] == _MEMBER), None)
            if name is None:
                raise Unreadable(f"There is no {_MEMBER} in this zip. {_UNKNOWN}")
            with packed.open(name) as opened:
                data = opened.read(_UNZIPPED_MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise Unreadable(f"This zip cannot be unpacked: {error}.") from error
    if len(data) > _UNZIPPED_MOST_BYTES:
        raise Unreadable(f"Its {_MEMBER} is larger than {_UNZIPPED_MOST_BYTES // 2**20} MiB. Send a part of it.")
    return data


def _own(value: Json) -> Iterator[Json]:
    if value.get("version") != VERSION:
        raise Unreadable(f"It is version {value.get('version')!r} of paddock's form; this paddock reads {VERSION}.")
    enclosed = {str(thing(one).get("id")): thing(one) for one in things(value.get("attachments"))}
    for one in map(thing, things(value.get("chats"))):
        parts = [part for made in things(one.get("messages")) for part in things(thing(made).get("content"))]
        wanted = dict.fromkeys(str(thing(part)["attachment_id"]) for part in parts if "attachment_id" in thing(part))
        usual = chat("")
        known = {name: part for name, part in one.items() if name in usual}
        held = [enclosed[key] for key in wanted if key in enclosed]
        left_out = [f"the field {words(name)[:40]!r}" for name in one if name not in usual]
        yield {**usual, **known, "attachments": held, "left_out": left_out}


def _is_sharegpt(one: Json) -> bool:
    return bool(things(one.get("conversations"))) or _has_roles(one.get("messages"))


def _has_roles(value: object) -> bool:
    return bool(things(value)) and all("role" in thing(one) for one in things(value)[:3])


def _sharegpt(place: int, one: Json) -> Iterator[Json]:
    """A conversation without branches. Its id is of what is said in it: many have none of their own."""
    turns = things(one.get("conversations")) or things(one.get("messages"))
    key = id_of("sharegpt", json.dumps(turns))
    made: list[Json] = []
    left_out: list[str] = []
    for number, turn in enumerate(map(thing, turns)):
        said = str(turn.get("from") or turn.get("role") or "")
        role = _ROLES.get(said)
        if role is None:
            left_out.append(f"turn {number + 1}: nobody is called {said[:40]!r}")
            continue
        content = _turn(said, role, turn, left_out)
        parent_id = made[-1]["id"] if made else None
        made.append(message(id_of(key, number), parent_id, role, content))
    title = title_of(one.get("title") or one.get("name"))
    yield chat(
        key,
        title=title,
        created_s=time_s(one.get("created_s") or one.get("create_time")),
        messages=made,
        leaf_id=made[-1]["id"] if made else None,
        left_out=left_out,
    )


def _turn(said: str, role: str, turn: Json, left_out: list[str]) -> list[Json]:
    value = turn.get("value", turn.get("content"))
    if said == "function_call":
        called = thing(_parsed(words(value)))
        arguments = called.get("arguments", {})
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        call = {"type": "tool_call", "call_id": "call", "name": words(called.get("name"))[:200] or "tool"}
        return [{**call, "arguments": words(text)}]
    if role == "tool":
        call_id = words(turn.get("tool_call_id"))[:200] or "call"
        return [{"type": "tool_result", "call_id": call_id, "output": words(value)}]
    said_all = words(value)
    content = (with_thoughts(said_all) if role == "assistant" else [text_part(said_all)]) if said_all else []
    for part in map(thing, things(value)):
        if isinstance(part.get("text"), str):
            content.append(text_part(words(part["text"])))
        else:
            left_out.append(f"a part of the kind {str(part.get('type'))[:40]!r}")
    for asked in map(thing, things(turn.get("tool_calls"))):
        function = thing(asked.get("function"))
        named = {"call_id": words(asked.get("id"))[:200] or "call", "name": words(function.get("name"))[:200] or "tool"}
        content.append({"type": "tool_call", **named, "arguments": words(function.get("arguments"))})
    return content


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return {}


_Reader = Callable[[int, Json], Iterator[Json]]
_FORMS: tuple[tuple[str, Callable[[Json], bool], _Reader], ...] = (
    ("chatgpt", foreign.is_chatgpt, foreign.chatgpt),
    ("open-webui", foreign.is_open_webui, foreign.open_webui),
    ("lm-studio", foreign.is_lm_studio, foreign.lm_studio),
    ("sharegpt", _is_sharegpt, _sharegpt),
)
