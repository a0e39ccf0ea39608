"""Owns the repairs that let real clients through the literal message rules; refuses to judge what is left. Pure.

Each repair has a name, which travels in `x-paddock-normalized`. With `PADDOCK_STRICT_WIRE=1` none is made, and the
rules of `api/schemas.py` refuse what would have been repaired.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from paddock.protocol.shape import as_array, as_object, is_json, objects_in

# Name of each repair and what it does, in the order of the documentation.
REPAIRS: dict[str, str] = {
    "developer-as-system": "the role `developer` is read as `system`",
    "tool-call-id-filled": "a tool message without `tool_call_id` gets the id of the only call that is unanswered",
    "empty-tool-output": "a tool message may have empty content, or none",
    "name-allowed": "`name` may stand on any role",
    "empty-assistant-dropped": "an assistant turn with neither content nor calls is left out",
    "empty-content-beside-calls": 'an assistant turn may have `content: ""` beside its `tool_calls`',
    "unreadable-arguments-wrapped": 'arguments in the history that are no JSON become `{"unreadable": text}`',
}


def normalize(messages: list[Any]) -> tuple[list[Any], list[str]]:
    """Repair a request's messages.

    Args:
        messages: the client's own list; it is not changed.

    Returns:
        The messages to go on with (the client's own objects wherever nothing was repaired) and the names of the
        repairs that were made, in the order of `REPAIRS`.
    """
    made: set[str] = set()
    repaired: list[Any] = []
    open_calls: Counter[str] = Counter()
    for message in messages:
        read = as_object(message)
        fixed = message if read is None else _one(read, open_calls, made)
        if fixed is not None or read is None:
            repaired.append(fixed)
    return repaired, [name for name in REPAIRS if name in made]


def _one(message: dict[str, Any], open_calls: Counter[str], made: set[str]) -> dict[str, Any] | None:
    role = message.get("role")
    if role == "developer":
        made.add("developer-as-system")
        message = {**message, "role": "system"}
    if message.get("name") is not None and role in ("system", "developer", "user", "assistant"):
        made.add("name-allowed")
    if role == "assistant":
        return _assistant(message, open_calls, made)
    if role == "tool":
        return _tool(message, open_calls, made)
    return message


def _assistant(message: dict[str, Any], open_calls: Counter[str], made: set[str]) -> dict[str, Any] | None:
    calls: Any = message.get("tool_calls")
    if not calls and _is_empty(message.get("content")):
        if calls is None or calls == []:
            made.add("empty-assistant-dropped")
            return None
        return message
    if calls and as_array(calls) is not None:
        # A call without an id is unanswered too: it must keep another's id from being guessed.
        ids: list[Any] = [call.get("id") for call in objects_in(calls)]
        open_calls.clear()
        open_calls.update(call_id if isinstance(call_id, str) else "" for call_id in ids)
        if message.get("content") == "":
            made.add("empty-content-beside-calls")
        if any(_is_unreadable(call) for call in objects_in(calls)):
            # Such a call was cut by a token limit; refused, it would end the conversation for good.
            made.add("unreadable-arguments-wrapped")
            message = {**message, "tool_calls": [_readable(call) for call in calls]}
    return message


def _is_unreadable(call: dict[str, Any]) -> bool:
    arguments = (as_object(call.get("function")) or {}).get("arguments")
    return isinstance(arguments, str) and not is_json(arguments)


def _readable(call: Any) -> Any:
    read = as_object(call)
    if read is None or not _is_unreadable(read):
        return call
    text = read["function"]["arguments"]
    wrapped = json.dumps({"unreadable": text}) if text else "{}"
    return {**read, "function": {**read["function"], "arguments": wrapped}}


def _is_empty(content: object) -> bool:
    return content is None or content == "" or content == []


def _tool(message: dict[str, Any], open_calls: Counter[str], made: set[str]) -> dict[str, Any]:
    call_id = message.get("tool_call_id")
    if not call_id and len(open_calls) == 1 and [*open_calls.values()] == [1] and "" not in open_calls:
        made.add("tool-call-id-filled")
        (call_id,) = open_calls
        message = {**message, "tool_call_id": call_id}
    if isinstance(call_id, str) and call_id in open_calls:
        open_calls[call_id] -= 1
        if not open_calls[call_id]:
            del open_calls[call_id]
    if _is_empty(message.get("content")):
        made.add("empty-tool-output")
        if message.get("content") != "":
            message = {**message, "content": ""}
    return message
