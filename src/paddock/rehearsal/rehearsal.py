"""Owns sending the recorded requests, one after the other, and telling what was found; refuses to know how one is sent.

They go as they were recorded but for three things: the model is the one that is tried, credentials are left out, and
an answer is limited to a few hundred tokens.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from paddock.protocol.strict_reading import CHAT, COMPLETIONS, MESSAGES, RESPONSES, Heard, listen
from paddock.rehearsal.rules import EMBEDDINGS, RULES, Exchange, Rule, generates
from paddock.rehearsal.shapes import Shape

ANSWER_TOKENS_MOST = 256
_LIMITS = {CHAT: "max_tokens", COMPLETIONS: "max_tokens", MESSAGES: "max_tokens", RESPONSES: "max_output_tokens"}
_LEFT_OUT = frozenset(("authorization", "x-api-key", "connection", "host", "content-length", "accept-encoding"))
# Sends a method, a path, headers and a body; returns the status and the whole body of the answer.
Ask = Callable[[str, str, dict[str, str], bytes], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A request that is being sent, before its answer is there."""

    client: str
    number: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one rule found with one client. `reason` says what is wrong, or why the rule was not tried."""

    client: str
    version: str
    rule: str
    status: Literal["pass", "fail", "skip"]
    reason: str = ""
    tried: int = 0
    took_s: float = 0.0


async def rehearse(
    ask: Ask, every: Sequence[Sequence[Shape]], *, model: str, embeds: bool
) -> AsyncGenerator[Progress | Verdict]:
    """Send the requests of each client, and judge the answers by every rule.

    Args:
        ask: sends one request.
        every: the requests, client by client.
        model: the name that is sent as `model`.
        embeds: whether the model makes embeddings; one that does is asked for nothing else, and the other way round.
    """
    for shapes in every:
        begun_s = time.monotonic()
        exchanges: list[Exchange] = []
        heard: dict[int, Heard | None] = {}
        for shape in shapes:
            if shape.body is not None and embeds != (shape.route == EMBEDDINGS):
                continue
            yield Progress(client=shape.client, number=shape.number, of=len(shapes))
            before = heard.get(shape.follows) if shape.follows is not None else None
            exchange = replace(await _exchange(ask, shape, model), before=before)
            heard[shape.number] = exchange.heard
            exchanges.append(exchange)
        took_s = time.monotonic() - begun_s
        for rule in RULES:
            yield replace(_judged(rule, shapes[0], exchanges), took_s=round(took_s, 1))


async def _exchange(ask: Ask, shape: Shape, model: str) -> Exchange:
    headers = {name: value for name, value in shape.headers.items() if name.lower() not in _LEFT_OUT}
    body = None if shape.body is None else _sent(shape.route, shape.body, model)
    data = b"" if body is None else json.dumps(body).encode()
    status, answer = await ask(shape.method, shape.path, headers, data)
    heard = None
    if status == 200 and generates(shape):
        heard = listen(shape.route, answer, streamed=bool(shape.body and shape.body.get("stream")))
    return Exchange(shape=shape, status=status, data=answer, heard=heard)


def _sent(route: str, body: dict[str, Any], model: str) -> dict[str, Any]:
    sent = {**body, "model": model}
    if limit := _LIMITS.get(route):
        asked = sent.get(limit)
        sent[limit] = min(asked, ANSWER_TOKENS_MOST) if isinstance(asked, int) else ANSWER_TOKENS_MOST
    return sent


def _judged(rule: Rule, first: Shape, exchanges: Sequence[Exchange]) -> Verdict:
    tried = 0
    wrong: list[str] = []
    for exchange in exchanges:
        found = rule.judge(exchange)
        tried += found is not None
        if found:
            wrong.append(f"request {exchange.shape.number}, {exchange.shape.path}: {found}")
    status = "fail" if wrong else "pass" if tried else "skip"
    reason = wrong[0] if wrong else "" if tried else "no answer to try it on"
    if len(wrong) > 1:
        reason += f" (and {len(wrong) - 1} more)"
    return Verdict(
        client=first.client, version=first.version, rule=rule.name, status=status, reason=reason, tried=tried
    )
