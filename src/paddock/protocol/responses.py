"""Owns bringing a Responses request into chat form; refuses to know how it is answered, or what is stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.responses_items import Turns, kind_of
from paddock.protocol.responses_tools import ToolMap, tool_choice_of, tools_of
from paddock.protocol.shape import as_array, as_object

# Fields of the dialect that say nothing to an engine; each is accepted, and those of the answer's are echoed.
_HEARD = (
    "metadata", "user", "store", "include", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "client_metadata", "truncation", "background", "stream_options", "max_tool_calls", "moderation",
    "context_management", "prompt_cache_options",
)  # fmt: skip
_OWN = ("input", "instructions", "tools", "tool_choice", "text", "reasoning", "previous_response_id", "stream",
        "max_output_tokens", "top_logprobs")  # fmt: skip
_WITH_STATUS = ("message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output")
_LOGPROBS = "message.output_text.logprobs"
_TOP_LOGPROBS_MOST = 20
_SUMMARY_NOTE = "reasoning.summary: the thoughts themselves are sent, no summary of them is made"
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
    conversation = [(f"previous_response_id.{place}", item) for place, item in enumerate(history)]
    conversation += [(f"input.{place}", item) for place, item in enumerate(items)]
    for where, item in conversation:
        if item.get("type") == "additional_tools":
            tools_of(item.get("tools"), notes, found=tools, where=f"{where}.tools")
    turns = Turns(tools, notes)
    for where, item in conversation:
        turns.add(where, item)
    body = {name: value for name, value in request.items() if name not in (*_OWN, *_HEARD) and value is not None}
    system = [text for text in (request.get("instructions"), *turns.system) if text]
    opening = [{"role": "system", "content": "\n\n".join(system)}] if system else []
    body["messages"] = [*opening, *turns.messages()]
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
    _shape(request.get("text"), body, notes)
    _think(request.get("reasoning"), body, notes)
    _count_odds(request, body)
    _note(request, notes)
    return ResponsesForm(body=body, tools=tools, items=items, adapted=tuple(notes))


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
        ("include", (list, type(None)), "a list"),
    ):
        if not isinstance(request.get(name), kinds):
            raise FieldInvalid(f"{name}: must be {what} (got {shown(request[name])}).", param=name)
    _whole(request, "max_output_tokens", least=1)
    _whole(request, "top_logprobs", least=0, most=_TOP_LOGPROBS_MOST)
    if request.get("truncation") not in (None, "auto", "disabled"):
        sentence = f"truncation: must be auto or disabled (got {shown(request['truncation'])})."
        raise FieldInvalid(sentence, param="truncation")


def _whole(request: dict[str, Any], name: str, *, least: int, most: int | None = None) -> None:
    value = request.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        until = "up" if most is None else f"to {most}"
        raise FieldInvalid(f"{name}: must be a whole number from {least} {until} (got {shown(value)}).", param=name)


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
        kind, given_id = kind_of(item), item.get("id")
        if kind == "item_reference" or (kind is None and set(item) == {"id"}):
            if not isinstance(given_id, str) or given_id not in known:
                sentence = f"input.{place}.id: no item {shown(given_id)} is known here. Send the item itself."
                raise BadRequest(sentence, param=f"input.{place}.id")
            continue
        made = f"item_{response_id.rsplit('_', 1)[-1]}_{place}"
        items.append(_kept(item, kind, given_id if isinstance(given_id, str) and given_id else made))
    return items


def _kept(item: dict[str, Any], kind: Any, item_id: str) -> dict[str, Any]:
    """An item as it is kept and listed: with its type, an id, a status where it can have one, its content as parts."""
    kept = {**item, **({"type": kind} if kind else {}), "id": item_id}
    if kind == "reasoning":
        return {**kept, "summary": item.get("summary") or []}
    if kind in _WITH_STATUS:
        kept["status"] = item.get("status") or "completed"
    if kind != "message":
        return kept
    is_said = item.get("role") == "assistant"
    if isinstance(item.get("content"), str):
        kept["content"] = [{"type": "output_text" if is_said else "input_text", "text": item["content"]}]
    if is_said and (parts := as_array(kept.get("content"))):
        texts = [(part, as_object(part) or {}) for part in parts]
        kept["content"] = [
            {"annotations": [], **read} if read.get("type") == "output_text" else part for part, read in texts
        ]
    return kept


def _shape(text: Any, body: dict[str, Any], notes: dict[str, None]) -> None:
    read = as_object(text) or {}
    if read.get("verbosity") is not None:
        notes["text.verbosity: has no effect on a local model"] = None
    wanted = as_object(read.get("format"))
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


def _think(reasoning: Any, body: dict[str, Any], notes: dict[str, None]) -> None:
    read = as_object(reasoning) or {}
    if read.get("summary") is not None or read.get("generate_summary") is not None:
        notes[_SUMMARY_NOTE] = None
    effort = read.get("effort")
    if effort is None:
        return
    if not isinstance(effort, str):
        sentence = f"reasoning.effort: must be a word such as low, medium or high (got {shown(effort)})."
        raise FieldInvalid(sentence, param="reasoning.effort")
    body["reasoning_effort"] = effort
    if effort in ("none", "minimal"):
        kwargs = as_object(body.get("chat_template_kwargs")) or {}
        body["chat_template_kwargs"] = {**kwargs, "enable_thinking": False}


def _count_odds(request: dict[str, Any], body: dict[str, Any]) -> None:
    """How likely each token was, where the client asked by either of the dialect's two ways."""
    most = request.get("top_logprobs")
    if most or _LOGPROBS in (as_array(request.get("include")) or []):
        body["logprobs"] = True
        body["top_logprobs"] = most or 0


def _note(request: dict[str, Any], notes: dict[str, None]) -> None:
    """What is accepted and has no effect, where a client could count on one."""
    for one in as_array(request.get("include")) or []:
        if one != _LOGPROBS:
            notes[f"include: {str(one)[:60]} is not made here"] = None
    if request.get("truncation") == "auto":
        notes["truncation: disabled, a conversation that is too long is refused"] = None
    if request.get("max_tool_calls") is not None:
        notes["max_tool_calls: has no effect, paddock runs no tools"] = None
    if request.get("service_tier") not in (None, "auto", "default"):
        notes["service_tier: default"] = None
