"""Owns the rules that an answer to a client must keep, and what each is judged by; refuses to send anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from paddock.protocol.shape import as_array, as_object, objects_in
from paddock.protocol.strict_reading import Heard
from paddock.rehearsal.shapes import Shape

# Of what the turn before was made of, so much must not be read again.
REUSED_LEAST = 0.95
COUNT = "/v1/messages/count_tokens"
EMBEDDINGS = "/v1/embeddings"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer. `heard` is what a generating route said, `before` what the turn before had."""

    shape: Shape
    status: int
    data: bytes
    heard: Heard | None = None
    before: Heard | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """The request's body."""
        return self.shape.body or {}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule: what it asks in a few words, and a judge.

    The judge returns None where the rule does not concern the exchange, "" where it is kept, else what is wrong.
    """

    name: str
    asks: str
    judge: Callable[[Exchange], str | None]


def _answers(exchange: Exchange) -> str:
    if exchange.status == 200:
        return ""
    try:
        body = as_object(json.loads(exchange.data or b"{}")) or {}
    except ValueError:
        body = {}
    message = (as_object(body.get("error")) or {}).get("message") or exchange.data[:200].decode("utf-8", "replace")
    advice = " Give the model a larger context with --ctx." if "prompt is too long" in str(message) else ""
    return f"status {exchange.status}: {message}{advice}"


def _shape(exchange: Exchange) -> str | None:
    if exchange.heard is not None:
        return "; ".join(exchange.heard.faults)
    if exchange.status != 200 or exchange.shape.method == "HEAD":
        return None
    try:
        body = as_object(json.loads(exchange.data))
    except ValueError:
        body = None
    wanted = {"/v1/models": "data", EMBEDDINGS: "data", COUNT: "input_tokens"}.get(exchange.shape.route)
    return "" if body and (wanted is None or body.get(wanted)) else f"the answer has no {wanted}"


def _usage(exchange: Exchange) -> str | None:
    options = as_object(exchange.asked.get("stream_options")) or {}
    is_chat = exchange.shape.route.endswith("completions")
    if exchange.heard is None or (is_chat and exchange.asked.get("stream") and not options.get("include_usage")):
        return None
    return "" if exchange.heard.prompt_tokens else "the answer does not tell how many tokens were read"


def _calls(exchange: Exchange) -> str | None:
    offered = set(_offered(exchange.asked.get("tools")))
    if exchange.heard is None or not offered or not exchange.heard.calls or exchange.heard.is_cut:
        return None
    for call in exchange.heard.calls:
        if call.name not in offered:
            return f"a call of '{call.name[:60]}', which was not offered"
        if not call.id:
            return f"the call of {call.name} has no id"
        if not _is_object(call.arguments):
            return f"the arguments of {call.name} are no JSON object: {call.arguments[:80]}"
    return ""


def _choice(exchange: Exchange) -> str | None:
    choice = exchange.asked.get("tool_choice")
    named = as_object(choice) or {}
    wanted = (as_object(named.get("function")) or named).get("name")
    is_forced = choice == "required" or named.get("type") == "any" or wanted is not None
    if exchange.heard is None or not is_forced or exchange.heard.is_cut:
        return None
    if not exchange.heard.calls:
        return "a call was forced and none came"
    return "" if wanted in (None, exchange.heard.calls[0].name) else f"{wanted} was to be called and was not"


def _structure(exchange: Exchange) -> str | None:
    text = as_object((as_object(exchange.asked.get("text")) or {}).get("format"))
    form = as_object(exchange.asked.get("response_format")) or text or {}
    heard = exchange.heard
    if heard is None or form.get("type") not in ("json_object", "json_schema") or heard.is_cut:
        return None
    if not _is_object(heard.text):
        return f"a JSON object was asked for and this came: {heard.text[:80]}"
    schema = (as_object(form.get("json_schema")) or form).get("schema")
    missing = [
        name for name in as_array((as_object(schema) or {}).get("required")) or [] if f'"{name}"' not in heard.text
    ]
    return f"the object lacks {', '.join(missing)}" if missing else ""


def _prefix(exchange: Exchange) -> str | None:
    if exchange.heard is None or exchange.before is None:
        return None
    read, cached = exchange.before.prompt_tokens, exchange.heard.cached_tokens
    if read is None or exchange.heard.prompt_tokens is None:
        return None
    told = f"{cached:,} of the {read:,} tokens of the turn before were reused"
    return "" if cached >= REUSED_LEAST * read else f"{told}, {REUSED_LEAST:.0%} are needed"


RULES = (
    Rule(name="answers", asks="every request is answered", judge=_answers),
    Rule(name="shape", asks="every answer has the form that the client reads, whole or streamed", judge=_shape),
    Rule(name="usage", asks="answers tell the tokens that were read", judge=_usage),
    Rule(name="calls", asks="calls name an offered tool, have an id, and their arguments are an object", judge=_calls),
    Rule(name="choice", asks="a call that is forced comes", judge=_choice),
    Rule(name="structure", asks="an answer that is to be JSON is", judge=_structure),
    Rule(name="prefix", asks="a further turn reuses what was read before", judge=_prefix),
)


def generates(shape: Shape) -> bool:
    """Whether a request asks for words."""
    return shape.method == "POST" and shape.route not in (COUNT, EMBEDDINGS)


def _offered(tools: object) -> Iterator[str]:
    """The names of the tools, in any dialect, those within a namespace too."""
    for tool in objects_in(tools):
        name = (as_object(tool.get("function")) or tool).get("name")
        if "tools" in tool:
            yield from _offered(tool["tools"])
        elif isinstance(name, str):
            yield name


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
