"""Owns the forms in which people keep rows to learn from, and bringing each into one; refuses to read files.

Known: conversations (`messages`, or ShareGPT's `conversations`), instructions (Alpaca), `prompt` with `completion`, and
plain `text`. Nothing is guessed: a row that fits none is named with its place, and what would have fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from paddock.data.json_text import parsed
from paddock.data.pictures import KINDS, Gallery, Picture
from paddock.data.refusals import wrong
from paddock.errors import shown

Message = dict[str, Any]
_ROLES = ("system", "developer", "user", "assistant", "tool")
_SHAREGPT_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "bard": "assistant",
    "system": "system", "tool": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
# Where an image stands in the text of ShareGPT's form.
_PLACE = "<image>"
_FORMS = "messages, conversations, instruction with output, prompt with completion, or text"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: a conversation with the tools it may call, or plain `text` where there are no messages.

    `images` are those that its messages show, in their order. A content with some is a list of parts of `text` and
    `image`. `place` is where it stands, for those that may hold images.
    """

    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    text: str = ""
    images: tuple[Picture, ...] = ()
    place: str = ""


def row_of(raw: object, place: str) -> Row:
    """The row that a file holds at `place`, which errors name, of words alone. Raises FieldInvalid."""
    return _row(raw, place, None)


def seen_row_of(raw: object, place: str) -> Row:
    """The row that a file holds at `place`, with its images. Raises FieldInvalid."""
    gallery = Gallery(_table(raw, place), place)
    return replace(_row(raw, place, gallery), images=gallery.close(), place=place)


def _table(raw: object, place: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise wrong(place, f"it is {type(raw).__name__}, not a table of {_FORMS}")
    return cast("dict[str, Any]", raw)


def _row(raw: object, place: str, gallery: Gallery | None) -> Row:
    row = _table(raw, place)
    if has(row, "messages"):
        return Row(
            messages=messages_of(row["messages"], place, gallery=gallery), tools=tools_of(row.get("tools"), place)
        )
    if has(row, "conversations"):
        return Row(messages=_from_sharegpt(row, place, gallery), tools=tools_of(row.get("tools"), place))
    if has(row, "instruction") and "output" in row:
        asked = "\n\n".join(text_of(row, name, place) for name in ("instruction", "input") if has(row, name))
        return _exchange(asked, text_of(row, "output", place), row, place)
    if has(row, "prompt") and "completion" in row:
        if isinstance(row["prompt"], str):
            return _exchange(row["prompt"], text_of(row, "completion", place), row, place)
        messages = [*_listed(row["prompt"], place), *_listed(row["completion"], place)]
        return Row(messages=messages_of(messages, place, gallery=gallery), tools=tools_of(row.get("tools"), place))
    if has(row, "text"):
        return Row(text=text_of(row, "text", place))
    raise wrong(place, f"it has the fields {', '.join(map(str, row)) or 'none'}; needed are {_FORMS}")


def _exchange(asked: str, answered: str, row: Mapping[str, Any], place: str) -> Row:
    opening = [{"role": "system", "content": text_of(row, "system", place)}] if has(row, "system") else []
    messages = [*opening, {"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return Row(messages=messages_of(messages, place))


def messages_of(
    raw: object, place: str, *, has_answer: bool = True, gallery: Gallery | None = None
) -> tuple[Message, ...]:
    """Messages as OpenAI has them, the arguments of calls as tables; images go into `gallery`. Raises FieldInvalid."""
    found = tuple(
        _message(one, f"{place}, message {number}", gallery) for number, one in enumerate(_listed(raw, place), 1)
    )
    if has_answer and not any(one["role"] == "assistant" for one in found):
        raise wrong(place, "it has no message of the assistant, so there is nothing to learn")
    return found


def _message(raw: object, place: str, gallery: Gallery | None) -> Message:
    if not isinstance(raw, dict):
        raise wrong(place, "it is not a table with a role and a content")
    message = cast("dict[str, Any]", raw)
    role = message.get("role")
    if role not in _ROLES:
        raise wrong(place, f"its role is {shown(role)}; roles are {', '.join(_ROLES)}")
    content = _content(message.get("content"), place, gallery)
    if role == "assistant" and not isinstance(content, str):
        raise wrong(place, "it is an answer with an image, and answers are of words")
    made: Message = {"role": role, "content": content}
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_call(one, place) for one in _listed(calls, place)]
    if role == "assistant" and not content and "tool_calls" not in made:
        raise wrong(place, "it has neither words nor calls")
    for name in ("tool_call_id", "name", "reasoning_content"):
        if message.get(name) is not None:
            made[name] = message[name]
    return made


def _content(content: object, place: str, gallery: Gallery | None) -> str | list[dict[str, Any]]:
    """A content as text, that of its parts where it has some; with images, as parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [cast("dict[str, Any]", one) for one in _listed(content, place) if isinstance(one, dict)]
    made: list[dict[str, Any]] = []
    for part in parts:
        kind = part.get("type")
        if kind == "text":
            made.append({"type": "text", "text": str(part.get("text", ""))})
        elif kind not in KINDS:
            raise wrong(place, f"a part of its content is {shown(kind)}; text and images are what can be learnt here")
        elif gallery is None:
            raise wrong(place, "a part of its content is an image, and images are learnt from by method sft alone")
        else:
            gallery.add(part)
            made.append({"type": "image"})
    has_images = any(part["type"] == "image" for part in made)
    return made if has_images else "".join(part["text"] for part in made)


def _call(raw: object, place: str) -> dict[str, Any]:
    """A call with its arguments as a table: nothing that the row does not say is in it."""
    call = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    function: object = call.get("function", call)
    said = cast("dict[str, Any]", function) if isinstance(function, dict) else {}
    arguments: object = said.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = parsed(arguments or "{}")
        except ValueError as error:
            raise wrong(place, f"the arguments of its call are no JSON: {shown(arguments)}") from error
    if not isinstance(said.get("name"), str) or not isinstance(arguments, dict):
        raise wrong(place, "its call lacks a name, or its arguments are no table")
    made: dict[str, Any] = {
        "type": "function",
        "function": {"name": said["name"], "arguments": cast("object", arguments)},
    }
    return {"id": call["id"], **made} if call.get("id") else made


def _from_sharegpt(row: Mapping[str, Any], place: str, gallery: Gallery | None) -> tuple[Message, ...]:
    found: list[Message] = []
    if has(row, "system"):
        found.append({"role": "system", "content": text_of(row, "system", place)})
    for number, raw in enumerate(_listed(row["conversations"], place), 1):
        said = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        sender: object = said.get("from", said.get("role"))
        if sender == "function_call":
            found.append({"role": "assistant", "tool_calls": [said.get("value")]})
            continue
        if not isinstance(sender, str) or sender not in _SHAREGPT_ROLES:
            raise wrong(f"{place}, message {number}", f"it is from {shown(sender)}, whom nobody knows")
        found.append(
            {"role": _SHAREGPT_ROLES[sender], "content": _as_parts(said.get("value", said.get("content")), row)}
        )
    return messages_of(found, place, gallery=gallery)


def _as_parts(said: object, row: Mapping[str, Any]) -> object:
    """What was said, as parts where the row has images: their places stand in the text."""
    if not isinstance(said, str) or _PLACE not in said or not (has(row, "images") or has(row, "image")):
        return said
    words = said.split(_PLACE)
    parts = [[{"type": "image"}, {"type": "text", "text": word}] for word in words[1:]]
    return [{"type": "text", "text": words[0]}, *(part for both in parts for part in both)]


def tools_of(raw: object, place: str) -> tuple[dict[str, Any], ...]:
    """The tools of a row, which may be written as JSON. Raises FieldInvalid."""
    if isinstance(raw, str):
        try:
            raw = parsed(raw or "[]")
        except ValueError as error:
            raise wrong(place, f"its tools are no JSON: {shown(raw)}") from error
    tools = _listed(raw or [], place)
    if not all(isinstance(one, dict) for one in tools):
        raise wrong(place, "its tools are no list of tables")
    return tuple(cast("dict[str, Any]", one) for one in tools)


def _listed(raw: object, place: str) -> Sequence[object]:
    if isinstance(raw, str):
        # A table of text, such as CSV, holds what else it holds as JSON.
        try:
            raw = parsed(raw)
        except ValueError:
            raw = None
    if not isinstance(raw, list):
        raise wrong(place, "a list is needed there")
    return cast("list[object]", raw)


def has(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row has something under a name."""
    return row.get(name) not in (None, "", [])


def text_of(row: Mapping[str, Any], name: str, place: str) -> str:
    """What a row has under a name, which must be text. Raises FieldInvalid."""
    value = row[name]
    if not isinstance(value, str):
        raise wrong(place, f"its {name} is {type(value).__name__}, not text")
    return value
