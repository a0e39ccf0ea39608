"""Owns making `tool_choice` have the effect it promises on an engine that only takes the word; parses no answers.

An engine's grammar for `required` lets free text run before a call and end without one. What does force a call is a
started assistant turn: the text with which the model's own template begins a call, sent as a trailing assistant
message beside `tool_choice: "required"`. The engine then continues it under the call's grammar, and reports and
streams the call in its own shape. That text is learned from the engine by rendering one call and one bare turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from paddock.engine.resident import Lease
from paddock.errors import BadRequest, EngineRefused, shown
from paddock.protocol.shape import as_array, as_object
from paddock.protocol.tool_schema import STRING_CHARACTERS_MOST, bounded
from paddock.serving.prepare import Prepared

_STARTED = (
    "tool_choice required: the assistant turn is started with a call, "
    f"whose strings end after {STRING_CHARACTERS_MOST} characters"
)
# What shapes an answer in text; an engine cannot hold one answer to two grammars.
_SHAPES = ("response_format", "json_schema", "grammar")
_WITHOUT_THINKING = {"enable_thinking": False}
_PROBE_NAME = "paddock_probe_call"
# Under another name, so that the probe's own stands in a rendered conversation only where it is said or called.
_PROBE_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "paddock_probe", "description": "probe", "parameters": {"type": "object", "properties": {}}},
}
_PROBE_TURN = {"role": "user", "content": "probe"}
_PROBE_SPEECH = {"role": "assistant", "content": _PROBE_NAME}
_PROBE_RESULT = {"role": "tool", "tool_call_id": "probe00000", "content": "probe"}
_PROBE_ANSWER = {"role": "assistant", "content": "probe"}
_PROBE_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "probe00000", "type": "function", "function": {"name": _PROBE_NAME, "arguments": "{}"}}],
}


def narrow(prepared: Prepared) -> Prepared:
    """Reduce a request's tools to those that its `tool_choice` allows, and mark it where a call is to be forced.

    `none` withholds the tools; a named function leaves only that tool; `allowed_tools` leaves only those listed, in its
    own mode.

    Raises:
        BadRequest: the choice has another form, or names a tool that is not there.
    """
    choice, tools = prepared.body.get("tool_choice"), prepared.body.get("tools")
    if not tools or choice in (None, "auto"):
        return prepared
    if choice == "required":
        return _forced(prepared, prepared.body, None)
    if choice == "none":
        body = {name: value for name, value in prepared.body.items() if name != "tools"}
        return _adapted(prepared, body, "tool_choice none: tools withheld")
    kind = choice.get("type")
    if kind == "function":
        name = _name_in(choice, "function")
        body = {**prepared.body, "tools": _named(tools, [name]), "tool_choice": "required"}
        return _forced(prepared, body, "tool_choice function: required with that one tool")
    if kind == "allowed_tools":
        return _allowed(prepared, choice.get("allowed_tools", choice), tools)
    raise BadRequest(
        f"tool_choice type {shown(kind)} is not supported; use function or allowed_tools.", param="tool_choice"
    )


async def force(prepared: Prepared, lease: Lease) -> Prepared:
    """Begin the call for the model, so that the engine can only go on with one.

    Raises:
        BadRequest: the model's template has no way to begin a call.
        EngineUnreachable: the engine was lost while it was asked.
    """
    lead = lease.resident.learned.get("call_lead")
    if lead is None:
        lead = lease.resident.learned["call_lead"] = await _learn_lead(lease)
    if not lead:
        raise BadRequest(
            "This model's chat template has no form for tool calls, so none can be forced.", param="tool_choice"
        )
    tools = prepared.body["tools"]
    kwargs = as_object(prepared.body.get("chat_template_kwargs")) or {}
    body = {
        **prepared.body,
        "messages": [*prepared.body["messages"], {"role": "assistant", "content": lead}],
        "tool_choice": "required",
        # Decoding is held to a copy of the tools in which nothing runs on; the template is given the originals.
        "tools": bounded(tools),
        "chat_template_kwargs": {
            "tools": tools,
            **kwargs,
            # A turn past its thinking cannot think: engines refuse to start one where thinking is on.
            **_WITHOUT_THINKING,
        },
    }
    return replace(prepared, body=body)


async def _learn_lead(lease: Lease) -> str:
    """The text between the start of an assistant turn and the name of its first call; "" if there is none."""

    async def rendered(*turns: dict[str, Any]) -> str:
        ask = {
            "messages": [_PROBE_TURN, *turns, _PROBE_TURN],
            "tools": [_PROBE_TOOL],
            "add_generation_prompt": False,
            "chat_template_kwargs": _WITHOUT_THINKING,
        }
        answer = await lease.client.ask(lease.endpoint, "/apply-template", ask)
        return str(answer["prompt"])

    try:
        # The call is answered, as templates want it whose turns must alternate.
        spoken = await rendered(_PROBE_SPEECH)
        return lead_between(spoken, await rendered(_PROBE_CALL, _PROBE_RESULT, _PROBE_ANSWER))
    except EngineRefused:
        return ""


def lead_between(spoken: str, called: str) -> str:
    """What a template writes from where an assistant turn's text would begin up to the name of its first call.

    Args:
        spoken: a conversation in which the assistant says the probe's name, rendered.
        called: the same conversation in which it calls the probe instead.

    Returns:
        The lead; "" when the template writes no call.
    """
    shared = next((i for i, (a, b) in enumerate(zip(spoken, called, strict=False)) if a != b), len(called))
    # The two differ from the text on, or before it where a template sets words off, or after where a call begins as
    # the name does.
    start, at = spoken.find(_PROBE_NAME), called.find(_PROBE_NAME)
    return called[min(start, shared) : at] if start >= 0 and at >= 0 else ""


def _allowed(prepared: Prepared, allowed: Any, tools: list[Any]) -> Prepared:
    allowed = as_object(allowed) or {}
    names = [_name_in(entry, "function") for entry in as_array(allowed.get("tools")) or []]
    mode = allowed.get("mode", "auto")
    if mode not in ("auto", "required"):
        raise BadRequest(f"tool_choice allowed_tools mode {shown(mode)} is not auto or required.", param="tool_choice")
    body = {**prepared.body, "tools": _named(tools, names), "tool_choice": mode}
    what = f"tool_choice allowed_tools: {mode} with {len(names)} of {len(tools)} tools"
    return _forced(prepared, body, what) if mode == "required" else _adapted(prepared, body, what)


def _name_in(entry: Any, key: str) -> str:
    named = as_object(entry) or {}
    name = (as_object(named.get(key)) or named).get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(
            'tool_choice must name its function: {"type": "function", "function": {"name": …}}.', param="tool_choice"
        )
    return name


def _named(tools: list[Any], names: list[str]) -> list[Any]:
    known = {name: tool for tool in tools if isinstance(name := _tool_name(tool), str)}
    missing = [name for name in names if name not in known]
    if missing or not names:
        wanted = missing[0] if missing else "nothing"
        raise BadRequest(
            f"tool_choice names {shown(wanted)}, but the tools are: {', '.join(known)}.",
            param="tool_choice",
        )
    return [known[name] for name in dict.fromkeys(names)]


def _tool_name(tool: Any) -> object:
    named = as_object(tool) or {}
    return (as_object(named.get("function")) or named).get("name")


def _forced(prepared: Prepared, body: dict[str, Any], what: str | None) -> Prepared:
    if body["messages"][-1].get("role") == "assistant":
        raise BadRequest(
            "A forced tool_choice cannot follow a started assistant turn; remove that last message.",
            param="tool_choice",
        )
    narrowed = _adapted(prepared, body, what) if what else prepared
    shaped = [name for name in _SHAPES if body.get(name) is not None]
    if shaped:
        body = {name: value for name, value in body.items() if name not in _SHAPES}
        narrowed = _adapted(narrowed, body, f"{' and '.join(shaped)} left out: the forced call has its own schema")
    return replace(_adapted(narrowed, body, _STARTED), forces_call=True)


def _adapted(prepared: Prepared, body: dict[str, Any], what: str) -> Prepared:
    return replace(prepared, body=body, adapted=(*prepared.adapted, what))
