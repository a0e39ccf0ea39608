"""Owns bringing an Anthropic Messages request into chat form; refuses to know how it is answered. Pure.

The same request always gives the same bytes, and what a conversation already held keeps its place, so that the engine
finds its prefix again.
"""

from __future__ import annotations

from typing import Any

from paddock.errors import FieldInvalid, shown
from paddock.protocol.chat import ChatForm
from paddock.protocol.messages_content import Turns, system_text
from paddock.protocol.messages_tools import tool_choice_of, tools_of
from paddock.protocol.shape import as_array, as_object

# Anthropic's own fields that say nothing to an engine; each is accepted.
_HEARD = (
    "metadata", "service_tier", "container", "context_management", "betas", "cache_control", "inference_geo", "speed",
    "fallbacks", "diagnostics", "user_profile_id",
)  # fmt: skip
_OWN = ("model", "messages", "system", "tools", "tool_choice", "max_tokens", "stop_sequences", "stream", "thinking",
        "output_config", "output_format", "mcp_servers")  # fmt: skip


def to_chat(request: dict[str, Any]) -> ChatForm:
    """A Messages request as a chat body; fields that Anthropic does not know pass as they are.

    Raises:
        FieldInvalid: a field is missing or has another form, with its path as `param`.
        BadRequest: content that cannot be honoured, such as a PDF.
    """
    _check(request)
    notes: dict[str, None] = {}
    tools = tools_of(request.get("tools"), notes)
    turns = Turns(notes)
    system = system_text(request.get("system"), notes)
    for place, message in enumerate(request["messages"]):
        turns.add(place, message)
    body: dict[str, Any] = {name: value for name, value in request.items() if name not in _OWN and name not in _HEARD}
    if "model" in request:
        body["model"] = request["model"]
    opening = [{"role": "system", "content": system}] if system else []
    body["messages"] = [*opening, *turns.messages]
    if tools:
        body["tools"] = tools
        body["tool_choice"] = tool_choice_of(request.get("tool_choice")) or "auto"
        if (as_object(request.get("tool_choice")) or {}).get("disable_parallel_tool_use"):
            body["parallel_tool_calls"] = False
    body["max_tokens"] = request["max_tokens"]
    if request.get("stop_sequences"):
        body["stop"] = request["stop_sequences"]
    if request.get("stream"):
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    _shape(request, body, notes)
    _think(request.get("thinking"), body, notes)
    return ChatForm(body=body, adapted=tuple(notes))


def _check(request: dict[str, Any]) -> None:
    messages = as_array(request.get("messages"))
    if messages is None or not messages:
        raise FieldInvalid("messages: must be a list with at least one message.", param="messages")
    limit = request.get("max_tokens")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise FieldInvalid(
            f"max_tokens: must be a whole number of at least 1 (got {shown(limit)}).", param="max_tokens"
        )
    for name, kinds, what in (
        ("model", (str, type(None)), "text"),
        ("stream", (bool, type(None)), "true or false"),
        ("stop_sequences", (list, type(None)), "a list of texts"),
        ("tools", (list, type(None)), "a list of tools"),
        ("system", (str, list, type(None)), "text or a list of text blocks"),
    ):
        if not isinstance(request.get(name), kinds):
            raise FieldInvalid(f"{name}: must be {what} (got {shown(request[name])}).", param=name)
    for place, message in enumerate(messages):
        _check_message(f"messages.{place}", as_object(message))
    for place, stop in enumerate(request.get("stop_sequences") or []):
        if not isinstance(stop, str):
            raise FieldInvalid(f"stop_sequences.{place}: must be text.", param=f"stop_sequences.{place}")


def _check_message(where: str, message: dict[str, Any] | None) -> None:
    if message is None:
        raise FieldInvalid(f"{where}: must be an object with 'role' and 'content'.", param=where)
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise FieldInvalid(
            f"{where}.role: must be user, assistant or system (got {shown(role)}).", param=f"{where}.role"
        )
    content: object = message.get("content")
    if not isinstance(content, (str, list)):
        raise FieldInvalid(f"{where}.content: must be text or a list of blocks.", param=f"{where}.content")
    blocks = as_array(message["content"]) or []
    for place, block in enumerate(blocks):
        kind = (as_object(block) or {}).get("type")
        if not isinstance(kind, str):
            param = f"{where}.content.{place}"
            raise FieldInvalid(f"{param}: must be a block, an object with a 'type'.", param=param)


def _shape(request: dict[str, Any], body: dict[str, Any], notes: dict[str, None]) -> None:
    """A schema for the answer, by either of the names it has had."""
    config = as_object(request.get("output_config")) or {}
    wanted = as_object(config.get("format")) or as_object(request.get("output_format"))
    if wanted is not None:
        if wanted.get("type") != "json_schema" or as_object(wanted.get("schema")) is None:
            raise FieldInvalid(
                'output_config.format: must be {"type": "json_schema", "schema": {…}}.', param="output_config.format"
            )
        named = {"name": str(wanted.get("name") or "answer"), "schema": wanted["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if request.get("mcp_servers"):
        notes["mcp_servers: left out, paddock calls no servers for a request"] = None


def _think(thinking: Any, body: dict[str, Any], notes: dict[str, None]) -> None:
    if thinking is None:
        return
    kind = (as_object(thinking) or {}).get("type")
    if kind not in ("enabled", "adaptive", "disabled"):
        raise FieldInvalid(
            f"thinking.type: must be enabled, adaptive or disabled (got {shown(kind)}).", param="thinking"
        )
    if kind == "adaptive":
        return
    kwargs = as_object(body.get("chat_template_kwargs")) or {}
    body["chat_template_kwargs"] = {**kwargs, "enable_thinking": kind == "enabled"}
    if kind == "enabled" and isinstance(thinking.get("budget_tokens"), int):
        body["thinking_budget_tokens"] = thinking["budget_tokens"]
