"""Owns bringing a Responses request into chat form; refuses to know how it is answered, or what is stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.responses_items import Turns
from paddock.protocol.responses_tools import ToolMap, tool_choice_of, tools_of
from paddock.protocol.shape import as_array, as_object

# Fields of the dialect that say nothing to an engine; each is accepted, and those of the answer's are echoed.
_HEARD = (
    "metadata", "user", "store", "include", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "client_metadata", "truncation", "background", "stream_options", "max_tool_calls", "moderation",
    "context_management", "prompt_cache_options",
)  # fmt: skip
_OWN = ("input", "instructions", "tools", "tool_choice", "text", "reasoning", "previous_response_id", "stream",
        "max_output_tokens")  # fmt: skip
_REFUSED = {
    "prompt": "Stored prompts are not kept here. Send the text as 'instructions' and 'input'.",
    "conversation": "Conversations are not kept here. Use 'previous_response_id', or send the items as 'input'.",
}


@dataclass(frozen=True, kw_only=True)
class ResponsesForm:
    """A Responses request as a chat body. `items` are the request's own input, each with an id."""

    body: dict[str, Any]
    tools: ToolMap
    items: list[dict[str, Any]]
    adapted: tuple[str, ...] = ()


def to_chat(request: dict[str, Any], *, response_id: str, history: Sequence[dict[str, Any]] = ()) -> ResponsesForm:
    """A Responses request as a chat body; fields that the dialect does not know pass as they are.

    Args:
        request: the client's body.
        response_id: the answer's id, from which items without an id get theirs.
        history: the items of the responses before this one, oldest first, where one is named.

    Raises:
        FieldInvalid: a field is missing or has another form, with its path as `param`.
        BadRequest: what cannot be honoured.
    """
    _check(request)
    notes: dict[str, None] = {}
    tools = tools_of(request.get("tools"), notes)
    items = _items(request["input"], response_id, history)
    turns = Turns(tools, notes)
    for place, item in enumerate(history):
        turns.add(f"previous_response_id.{place}", item)
    for place, item in enumerate(items):
        turns.add(f"input.{place}", item)
    body: dict[str, Any] = {name: value for name, value in request.items() if name not in (*_OWN, *_HEARD)}
    system = [text for text in (request.get("instructions"), *turns.system) if text]
    opening = [{"role": "system", "content": "\n\n".join(system)}] if system else []
    body["messages"] = [*opening, *turns.messages]
    if tools.tools:
        body["tools"] = tools.tools
        choice = tool_choice_of(request.get("tool_choice"), tools, notes)
        body["tool_choice"] = "auto" if choice is None else choice
    elif request.get("tool_choice") not in (None, "auto", "none"):
        notes["tool_choice: left out, no tool is left to choose"] = None
    if request.get("max_output_tokens") is not None:
        body["max_tokens"] = request["max_output_tokens"]
    if request.get("stream"):
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    _shape(request.get("text"), body)
    _think(request.get("reasoning"), body)
    return ResponsesForm(body=body, tools=tools, items=items, adapted=tuple(notes))


def from_mixed(body: dict[str, Any], *, response_id: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A body sent to chat completions in the other lane's shape, as some clients do, in chat form; others unchanged.

    Known of Cursor: `input` in place of `messages`, and flat tools. Raises as `to_chat` does.
    """
    if "messages" not in body and "input" in body:
        form = to_chat(body, response_id=response_id)
        return form.body, ("input: taken for messages", *form.adapted)
    tools = as_array(body.get("tools"))
    flat = [one for one in (as_object(tool) or {} for tool in tools or []) if "name" in one and "function" not in one]
    if tools is None or not flat or any(tool.get("type") != "function" for tool in flat):
        return body, ()
    nested = [_nested(tool) for tool in tools]
    return {**body, "tools": nested}, ("tools: flat ones were nested",)


def _nested(tool: Any) -> Any:
    read = as_object(tool) or {}
    if "name" not in read or "function" in read:
        return tool
    return {"type": "function", "function": {name: value for name, value in read.items() if name != "type"}}


def _check(request: dict[str, Any]) -> None:
    for name, advice in _REFUSED.items():
        if request.get(name) is not None:
            raise BadRequest(f"'{name}' is not supported. {advice}", param=name)
    given = request.get("input")
    if not isinstance(given, (str, list)) or not given:
        raise FieldInvalid("input: must be text or a list of items, and not empty.", param="input")
    for name, kinds, what in (
        ("model", (str, type(None)), "text"),
        ("instructions", (str, type(None)), "text"),
        ("previous_response_id", (str, type(None)), "the id of a response"),
        ("tools", (list, type(None)), "a list of tools"),
        ("stream", (bool, type(None)), "true or false"),
        ("background", (bool, type(None)), "true or false"),
        ("store", (bool, type(None)), "true or false"),
        ("text", (dict, type(None)), "an object"),
        ("reasoning", (dict, type(None)), "an object"),
        ("metadata", (dict, type(None)), "an object"),
    ):
        if not isinstance(request.get(name), kinds):
            raise FieldInvalid(f"{name}: must be {what} (got {shown(request[name])}).", param=name)
    limit = request.get("max_output_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        sentence = f"max_output_tokens: must be a whole number from 1 up (got {shown(limit)})."
        raise FieldInvalid(sentence, param="max_output_tokens")


def _items(given: Any, response_id: str, history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(given, str):
        content = [{"type": "input_text", "text": given}]
        given = [{"type": "message", "role": "user", "content": content}]
    known = {item["id"]: item for item in history if isinstance(item.get("id"), str)}
    items: list[dict[str, Any]] = []
    for place, one in enumerate(as_array(given) or []):
        item = as_object(one)
        if item is None:
            raise FieldInvalid(f"input.{place}: must be an item, an object with a 'type'.", param=f"input.{place}")
        if item.get("type") == "item_reference":
            if item.get("id") not in known:
                sentence = f"input.{place}.id: no item {shown(item.get('id'))} is known here. Send the item itself."
                raise BadRequest(sentence, param=f"input.{place}.id")
            continue
        kind = item.get("type", "message" if "role" in item else None)
        named = {"type": kind} if kind else {}
        items.append({**item, **named, "id": item.get("id") or f"item_{response_id.rsplit('_', 1)[-1]}_{place}"})
    return items


def _shape(text: Any, body: dict[str, Any]) -> None:
    wanted = as_object((as_object(text) or {}).get("format"))
    if wanted is None or wanted.get("type") == "text":
        return
    if wanted.get("type") == "json_object":
        body["response_format"] = {"type": "json_object"}
    elif wanted.get("type") == "json_schema" and as_object(wanted.get("schema")) is not None:
        named = {name: wanted[name] for name in ("name", "description", "schema", "strict") if name in wanted}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    else:
        sentence = f"text.format: {shown(wanted.get('type'))} is not text, json_object or a json_schema with a schema."
        raise BadRequest(sentence, param="text.format")


def _think(reasoning: Any, body: dict[str, Any]) -> None:
    effort = (as_object(reasoning) or {}).get("effort")
    if effort is None:
        return
    body["reasoning_effort"] = effort
    if effort in ("none", "minimal"):
        kwargs = as_object(body.get("chat_template_kwargs")) or {}
        body["chat_template_kwargs"] = {**kwargs, "enable_thinking": False}
