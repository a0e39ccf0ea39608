"""Owns the forms in which people keep rows to learn from, and bringing each into one; refuses to read files.

Known: conversations (`messages`, or ShareGPT's `conversations`), instructions (Alpaca), `prompt` with `completion`, and
plain `text`. Nothing is guessed: a row that fits none is named with its place, and what would have fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from paddock.data.json_text import parsed
from paddock.errors import FieldInvalid, shown

Message = dict[str, Any]
_ROLES = ("system", "developer", "user", "assistant", "tool")
_SHAREGPT_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "bard": "assistant",
    "system": "system", "tool": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
_FORMS = "messages, conversations, instruction with output, prompt with completion, or text"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: a conversation with the tools it may call, or plain `text` where there are no messages."""

    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    text: str = ""


def row_of(raw: object, place: str) -> Row:
    """The row that a file holds at `place`, which errors name. Raises FieldInvalid."""
    if not isinstance(raw, dict):
        raise wrong(place, f"it is {type(raw).__name__}, not a table of {_FORMS}")
    row = cast("dict[str, Any]", raw)
    if has(row, "messages"):
        return Row(messages=messages_of(row["messages"], place), tools=tools_of(row.get("tools"), place))
    if has(row, "conversations"):
        return Row(messages=_from_sharegpt(row, place), tools=tools_of(row.get("tools"), place))
    if has(row, "instruction") and "output" in row:
        asked = "\n\n".join(text_of(row, name, place) for name in ("instruction", "input") if has(row, name))
        return _exchange(asked, text_of(row, "output", place), row, place)
    if has(row, "prompt") and "completion" in row:
        if isinstance(row["prompt"], str):
            return _exchange(row["prompt"], text_of(row, "completion", place), row, place)
        messages = [*_listed(row["prompt"], place), *_listed(row["completion"], place)]
        return Row(messages=messages_of(messages, place), tools=tools_of(row.get("tools"), place))
    if has(row, "text"):
        return Row(text=text_of(row, "text", place))
    raise wrong(place, f"it has the fields {', '.join(map(str, row)) or 'none'}; needed are {_FORMS}")


def _exchange(asked: str, answered: str, row: Mapping[str, Any], place: str) -> Row:
    opening = [{"role": "system", "content": text_of(row, "system", place)}] if has(row, "system") else []
    messages = [*opening, {"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return Row(messages=messages_of(messages, place))


def messages_of(raw: object, place: str, *, has_answer: bool = True) -> tuple[Message, ...]:
    """Messages as OpenAI has them, the arguments of calls as tables. Raises FieldInvalid."""
    found = tuple(_message(one, f"{place}, message {number}") for number, one in enumerate(_listed(raw, place), 1))
    if has_answer and not any(one["role"] == "assistant" for one in found):
        raise wrong(place, "it has no message of the assistant, so there is nothing to learn")
    return found


def _message(raw: object, place: str) -> Message:
    if not isinstance(raw, dict):
        raise wrong(place, "it is not a table with a role and a content")
    message = cast("dict[str, Any]", raw)
    role = message.get("role")
    if role not in _ROLES:
        raise wrong(place, f"its role is {shown(role)}; roles are {', '.join(_ROLES)}")
    content = _words(message.get("content"), place)
    made: Message = {"role": role, "content": content}
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_call(one, place) for one in _listed(calls, place)]
    if role == "assistant" and not content and "tool_calls" not in made:
        raise wrong(place, "it has neither words nor calls")
    for name in ("tool_call_id", "name", "reasoning_content"):
        if message.get(name) is not None:
            made[name] = message[name]
    return made


def _words(content: object, place: str) -> str:
    """A content as text: that of its parts, where it has some."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [cast("dict[str, Any]", one) for one in _listed(content, place) if isinstance(one, dict)]
    other = next((part.get("type") for part in parts if part.get("type") != "text"), None)
    if other is not None:
        raise wrong(place, f"a part of its content is {shown(other)}; text is what can be learnt here")
    return "".join(str(part.get("text", "")) for part in parts)


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


def _from_sharegpt(row: Mapping[str, Any], place: str) -> tuple[Message, ...]:
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
        found.append({"role": _SHAREGPT_ROLES[sender], "content": said.get("value", said.get("content"))})
    return messages_of(found, place)


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


def wrong(place: str, why: str) -> FieldInvalid:
    """The error of a row that cannot be learnt from."""
    return FieldInvalid(f"{place} cannot be learnt from: {why}.", param="data")
