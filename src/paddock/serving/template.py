"""Owns finding out what a loaded model's chat template can render, by asking its engine; refuses to judge the model.

Covered: that the words of a conversation come out of the template, and that it does not refuse. Not covered: whether
the model was trained on what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from paddock.engine.pool import Lease
from paddock.errors import EngineRefused

RENDERED_WITHIN_S = 10.0
_ENDLESS = "It did not end within {:g} s: requests that it renders so get no answer. Read it, or set another."
_USER = {"role": "user", "content": "paddock-says-hello"}
_ANSWER = {"role": "assistant", "content": "paddock-hears-hello"}
_AGAIN = {"role": "user", "content": "paddock-asks-again"}
_SYSTEM = {"role": "system", "content": "paddock-gives-rules"}
_TOOL = {
    "type": "function",
    "function": {
        "name": "paddock_probe_tool",
        "description": "probe",
        "parameters": {"type": "object", "properties": {"paddock_place": {"type": "string"}}},
    },
}
_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "probe00000",
            "type": "function",
            "function": {"name": "paddock_probe_tool", "arguments": '{"paddock_place": "paddock-oslo"}'},
        }
    ],
}
_RESULT = {"role": "tool", "tool_call_id": "probe00000", "name": "paddock_probe_tool", "content": "paddock-finds-rain"}


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """One conversation, and the words that must come out of it."""

    messages: tuple[Mapping[str, Any], ...]
    words: tuple[str, ...]
    tools: bool = False


_PROBES: Mapping[str, _Probe] = {
    "several_turns": _Probe(
        messages=(_USER, _ANSWER, _AGAIN), words=("paddock-says-hello", "paddock-hears-hello", "paddock-asks-again")
    ),
    "system": _Probe(messages=(_SYSTEM, _USER), words=("paddock-gives-rules", "paddock-says-hello")),
    "system_later": _Probe(
        messages=(_USER, _ANSWER, _SYSTEM, _AGAIN), words=("paddock-gives-rules", "paddock-asks-again")
    ),
    "tools": _Probe(messages=(_USER,), words=("paddock_probe_tool", "paddock_place"), tools=True),
    "tool_calls": _Probe(messages=(_USER, _CALL, _RESULT), words=("paddock_probe_tool", "paddock-oslo"), tools=True),
    "tool_results": _Probe(messages=(_USER, _CALL, _RESULT), words=("paddock-finds-rain",), tools=True),
}
_LACKS = {
    "several_turns": "A conversation loses turns.",
    "system": "It renders no system message: instructions are lost or refused.",
    "system_later": "It takes no system message after the first turn.",
    "tools": "It knows no tools: requests with 'tools' are refused.",
    "tool_calls": "It renders no calls: an agent's earlier calls are lost or refused.",
    "tool_results": "It renders no results of tools: they are lost or refused.",
    "thinking": "Its thinking cannot be switched with enable_thinking.",
}


async def checked(lease: Lease, *, within_s: float) -> dict[str, Any]:
    """What the template renders: `renders`, by the name of the ability, `lacks`, a sentence each, and the template.

    What is not rendered within `within_s` seconds in all is not rendered, nor is what would be asked after it.

    Raises:
        EngineUnreachable: the engine was lost while it was asked.
    """
    props = await lease.client.ask(lease.endpoint, "/props")
    renders = dict.fromkeys(_LACKS, False)
    with anyio.move_on_after(within_s) as deadline:
        for name, probe in _PROBES.items():
            renders[name] = await _renders(lease, probe)
        # Engines stand in for templates without tools with words of their own, which no model was trained on.
        renders["tools"] = renders["tools"] and lease.abilities.template_knows_tools
        renders["thinking"] = await _switches_thinking(lease)
    lacks = [_LACKS[name] for name, does in renders.items() if not does]
    return {
        "renders": renders,
        "lacks": [_ENDLESS.format(within_s)] if deadline.cancelled_caught else lacks,
        "template": props.get("chat_template", ""),
    }


async def _renders(lease: Lease, probe: _Probe) -> bool:
    prompt = await _prompt(lease, probe.messages, tools=probe.tools)
    return prompt is not None and all(word in prompt for word in probe.words)


async def _switches_thinking(lease: Lease) -> bool:
    """Whether the prompt is another with thinking than without."""
    on, off = [await _prompt(lease, (_USER,), kwargs={"enable_thinking": choice}) for choice in (True, False)]
    return on is not None and off is not None and on != off


async def _prompt(
    lease: Lease,
    messages: tuple[Mapping[str, Any], ...],
    *,
    tools: bool = False,
    kwargs: Mapping[str, Any] | None = None,
) -> str | None:
    """A conversation as the template writes it; None where it refuses."""
    ask: dict[str, Any] = {"messages": list(messages), "chat_template_kwargs": dict(kwargs or {})}
    if tools:
        ask["tools"] = [_TOOL]
    try:
        answer = await lease.client.ask(lease.endpoint, "/apply-template", ask)
    except EngineRefused:
        return None
    return str(answer["prompt"])
