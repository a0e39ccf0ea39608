"""Owns the recorded requests of real clients, and how such a client goes on after an answer; measures nothing."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "client-requests"
# What a model is asked to say at most: the bundled one may not come to an end by itself.
_ANSWER_TOKENS_MOST = 128
_MODEL = "pocket-v0"
_RESULT = "hi"
_NEXT = "Thank you. Say it once more."


def are_here() -> bool:
    """Whether the recordings lie beside this checkout; says so where they do not."""
    if _FOLDER.is_dir():
        return True
    print("  left out: no recorded requests in ../shared/client-requests", file=sys.stderr, flush=True)
    return False


def largest(client: str) -> dict[str, Any]:
    """The body of the first of a client's recorded requests that is about as large as its largest one."""
    recording = json.loads((_FOLDER / f"{client}.json").read_text("utf-8"))
    bodies = [request["body"] for request in recording["requests"] if isinstance(request["body"], dict)]
    size = max(len(json.dumps(body)) for body in bodies)
    found = next(body for body in bodies if len(json.dumps(body)) > 0.9 * size)
    return {**found, "model": _MODEL}


def for_counting(body: dict[str, Any], mark: str) -> dict[str, Any]:
    """A Messages body as its count is asked for; `mark` begins its system prompt, so that nothing of it is known."""
    asked = {name: copy.deepcopy(body[name]) for name in ("model", "messages", "system", "tools")}
    asked["system"][1]["text"] = f"{mark} {asked['system'][1]['text']}"
    return asked


def with_billing(body: dict[str, Any], turn: int) -> dict[str, Any]:
    """Claude Code's request with a billing text that is another one in each turn, as that client sends it."""
    text = f"x-anthropic-billing-header: cc_version=2.1.197.{turn:03x}; cc_entrypoint=cli; cch={turn * 7919:05x};"
    first, *rest = body["system"]
    assert first["text"].startswith("x-anthropic-billing-header")
    return {**body, "system": [{**first, "text": text}, *rest]}


def opened(body: dict[str, Any]) -> dict[str, Any]:
    """A recorded request as the first turn: not streamed, its answer bounded, otherwise as it was recorded."""
    limit = "max_output_tokens" if "input" in body else "max_tokens"
    return {**body, "stream": False, limit: _ANSWER_TOKENS_MOST}


def messages_next(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The next request of a Messages client: the mark of its cache moves to the newest block."""
    turns = copy.deepcopy(body["messages"])
    for block in (block for turn in turns if isinstance(turn["content"], list) for block in turn["content"]):
        block.pop("cache_control", None)
    said = answer["content"] or [{"type": "text", "text": "…"}]
    uses = [block for block in said if block["type"] == "tool_use"]
    shown: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": use["id"], "content": _RESULT, "is_error": False} for use in uses
    ]
    shown = shown or [{"type": "text", "text": _NEXT}]
    shown[-1]["cache_control"] = {"type": "ephemeral"}
    return {**body, "messages": [*turns, {"role": "assistant", "content": said}, {"role": "user", "content": shown}]}


def responses_next(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The next request of a Responses client that stores nothing: every item again, and ids of the new turn."""
    items = [*body["input"], *answer["output"]]
    for item in answer["output"]:
        if item["type"] in ("function_call", "custom_tool_call"):
            kind = f"{item['type']}_output"
            items.append({"type": kind, "call_id": item["call_id"], "output": _RESULT})
    if items[-1].get("type", "message") == "message":
        content = [{"type": "input_text", "text": _NEXT}]
        items.append({"type": "message", "role": "user", "content": content})
    known: dict[str, Any] = body.get("client_metadata") or {}
    return {**body, "input": items, "client_metadata": {**known, "turn_id": "another turn"}}


def chat_next(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The next request of a chat client."""
    said = answer["choices"][0]["message"]
    calls: list[dict[str, Any]] = said.get("tool_calls") or []
    kept: dict[str, Any] = {"role": "assistant", "content": said.get("content") or ""}
    if calls:
        kept["tool_calls"] = calls
    results = [{"role": "tool", "tool_call_id": call["id"], "content": _RESULT} for call in calls]
    return {**body, "messages": [*body["messages"], kept, *(results or [{"role": "user", "content": _NEXT}])]}
