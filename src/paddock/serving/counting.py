"""Owns counting a chat body's tokens, exactly, by the engine's own template and tokenizer; generates nothing.

Agents ask again and again while most of the prompt stays the same. Text is cut where the model's tokenizer cuts it in
any case, before a control token, so that the counts of the parts add up; the counts of known beginnings are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio

from paddock.engine.resident import Lease
from paddock.errors import PaddockError

_COUNT = "/v1/chat/completions/input_tokens"
_BEGINNINGS_MOST = 512
_HEADS_MOST = 64
# What control tokens look like in every vocabulary known; whether one is a control token is asked of the engine.
# Many and long tools take most of the time that a template takes; this one stands in for them.
_STAND_IN: list[Any] = [{"type": "function", "function": {"name": "stand_in", "parameters": {"type": "object"}}}]
_CONTROL = re.compile(r"<\|[^\s<>|]{1,40}\|>|<[a-z_]{1,24}>|\[/?[A-Z_]{2,24}\]")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a conversation's prompt begins, up to the end of its tools: as it is, and with the stand-in for them."""

    whole: str
    short: str


@dataclass(kw_only=True)
class Counts:
    """What was learned of one engine's prompts: token counts of their beginnings, by digest, and their openings."""

    beginnings: OrderedDict[bytes, int] = field(default_factory=OrderedDict[bytes, int])
    heads: OrderedDict[bytes, Opening | None] = field(default_factory=OrderedDict[bytes, "Opening | None"])
    is_control: dict[str, bool] = field(default_factory=dict[str, bool])

    def known(self, prompt: str, cuts: list[int]) -> tuple[int, int]:
        """The longest beginning whose count is known: where it ends, and its tokens; (0, 0) for none."""
        best = (0, 0)
        for cut, digest in digests(prompt, cuts):
            if digest in self.beginnings:
                self.beginnings.move_to_end(digest)
                best = (cut, self.beginnings[digest])
        return best

    def keep(self, digest: bytes, tokens: int) -> None:
        """Remember one beginning; the one unused for longest is forgotten for it."""
        self.beginnings[digest] = tokens
        if len(self.beginnings) > _BEGINNINGS_MOST:
            self.beginnings.popitem(last=False)

    def is_familiar(self, head: bytes) -> bool:
        """Whether a body with this head was counted before; from now on it was."""
        if head in self.heads:
            self.heads.move_to_end(head)
            return True
        self.heads[head] = None
        if len(self.heads) > _HEADS_MOST:
            self.heads.popitem(last=False)
        return False


async def count(lease: Lease, body: dict[str, Any], *, has_images: bool = False) -> int:
    """The tokens of a chat body's prompt.

    Raises:
        EngineRefused, EngineUnreachable: from the engine.
    """
    if has_images:
        return await _whole(lease, body)
    counts: Counts = lease.resident.learned.setdefault("counts", Counts())
    head = _head_of(body)
    if counts.is_familiar(head):
        prompt = await _familiar_prompt(lease, counts, head, body)
        cuts = await _cuts(lease, counts, prompt)
        cut, tokens = counts.known(prompt, cuts)
        if cut:
            return tokens + await _rest(lease, counts, prompt, cuts, cut, tokens)
        tokens = await _whole(lease, body)
        await _learn(lease, counts, prompt, cuts, tokens)
    else:
        prompt, tokens = await _both(lease, counts, head, body)
        # The end of a prompt is short and quickly counted; earlier cuts are learned when the conversation returns.
        cuts = await _cuts(lease, counts, prompt)
        await _learn(lease, counts, prompt, cuts[-1:], tokens)
    return tokens


async def _both(lease: Lease, counts: Counts, head: bytes, body: dict[str, Any]) -> tuple[str, int]:
    """The rendered prompt and its count, and how it begins, asked for at once: the engine has a thread for each."""
    short = _with_stand_in(body)
    bodies = [body] if short is None else [body, short]
    prompts = [""] * len(bodies)
    failed: list[PaddockError] = []

    async def render(place: int) -> None:
        try:
            prompts[place] = await _prompt(lease, bodies[place])
        except PaddockError as error:
            failed.append(error)

    tokens = 0
    async with anyio.create_task_group() as group:
        for place in range(len(bodies)):
            group.start_soon(render, place)
        try:
            tokens = await _whole(lease, body)
        except PaddockError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    if short is not None:
        counts.heads[head] = opening_of(*prompts)
    return prompts[0], tokens


def _with_stand_in(body: dict[str, Any]) -> dict[str, Any] | None:
    """The body with one small tool in place of its own; None where it has none, or chooses among them."""
    if not body.get("tools") or body.get("tool_choice", "auto") != "auto":
        return None
    kwargs: dict[str, Any] = {**(body.get("chat_template_kwargs") or {}), "tools": _STAND_IN}
    return {**body, "tools": _STAND_IN, "chat_template_kwargs": kwargs}


async def _familiar_prompt(lease: Lease, counts: Counts, head: bytes, body: dict[str, Any]) -> str:
    """The rendered prompt of a conversation that was counted before.

    Its tools were rendered then, and stand in its opening as they are. So another tool is rendered in their place, and
    where the prompt begins as it did with that, the opening is put back. A template that tells its tools elsewhere as
    the conversation goes on begins otherwise, and is rendered whole.
    """
    short, opening = _with_stand_in(body), counts.heads[head]
    if short is not None and opening is not None:
        stood_in = await _prompt(lease, short)
        if stood_in.startswith(opening.short):
            return opening.whole + stood_in[len(opening.short) :]
    return await _prompt(lease, body)


def opening_of(whole: str, short: str) -> Opening:
    """What two prompts do not end with alike."""
    least, most = 0, min(len(whole), len(short))
    while least < most:
        shared = (least + most + 1) // 2
        if whole[len(whole) - shared :] == short[len(short) - shared :]:
            least = shared
        else:
            most = shared - 1
    return Opening(whole=whole[: len(whole) - least], short=short[: len(short) - least])


async def _prompt(lease: Lease, body: dict[str, Any]) -> str:
    return str((await lease.client.ask(lease.endpoint, "/apply-template", body))["prompt"])


async def _whole(lease: Lease, body: dict[str, Any]) -> int:
    return int((await lease.client.ask(lease.endpoint, _COUNT, body))["input_tokens"])


async def _rest(lease: Lease, counts: Counts, prompt: str, cuts: list[int], cut: int, known: int) -> int:
    """The tokens after a known beginning, part by part, so that each longer beginning becomes known too."""
    ends = [*(end for end in cuts if end > cut), len(prompt)]
    if len(ends) > 8:
        # Many short parts are asked for at less cost in two.
        ends = [ends[-2], ends[-1]]
    parts = [prompt[start:end] for start, end in zip([cut, *ends], ends, strict=False)]
    found = await _tokens_in_each(lease, parts)
    total = 0
    named = dict(digests(prompt, ends))
    for end, tokens in zip(ends, found, strict=True):
        total += tokens
        if end < len(prompt):
            counts.keep(named[end], known + total)
    return total


async def _tokens_in_each(lease: Lease, texts: list[str]) -> list[int]:
    """The counts of several texts, asked for at once: the engine has a thread for each."""
    if len(texts) == 1:
        return [await _tokens_in(lease, texts[0])]
    found = [0] * len(texts)
    failed: list[PaddockError] = []

    async def ask(place: int) -> None:
        try:
            found[place] = await _tokens_in(lease, texts[place])
        except PaddockError as error:
            failed.append(error)

    async with anyio.create_task_group() as group:
        for place in range(len(texts)):
            group.start_soon(ask, place)
    if failed:
        raise failed[0]
    return found


async def _learn(lease: Lease, counts: Counts, prompt: str, cuts: list[int], total: int) -> None:
    """Keep the counts of the beginnings that end within the last part of a counted prompt."""
    after = 0
    # From the end, while what follows is short: the system's text and the tools are at the beginning.
    for place in range(len(cuts) - 1, -1, -1):
        start, end = cuts[place], cuts[place + 1] if place + 1 < len(cuts) else len(prompt)
        if not start or len(prompt) - start > max(4096, len(prompt) // 4):
            return
        after += await _tokens_in(lease, prompt[start:end])
        counts.keep(dict(digests(prompt, [start]))[start], total - after)


async def _tokens_in(lease: Lease, text: str) -> int:
    ask = {"content": text, "add_special": False, "parse_special": True}
    return len((await lease.client.ask(lease.endpoint, "/tokenize", ask))["tokens"])


async def _cuts(lease: Lease, counts: Counts, prompt: str) -> list[int]:
    """Where the prompt may be cut: before each control token."""
    found = [(match.start(), match[0]) for match in _CONTROL.finditer(prompt)]
    for text in {text for _, text in found} - counts.is_control.keys():
        counts.is_control[text] = await _is_control(lease, text)
    return [start for start, text in found if counts.is_control[text]]


async def _is_control(lease: Lease, text: str) -> bool:
    """Whether the tokenizer always takes this text for one token of its own, whatever stands around it.

    A text in the vocabulary that is no control token merges with its neighbours: it is one token only if it is one
    between letters too, and is read as several where control tokens are not looked for.
    """

    async def ids(content: str, *, special: bool) -> list[int]:
        ask = {"content": content, "add_special": False, "parse_special": special}
        return list((await lease.client.ask(lease.endpoint, "/tokenize", ask))["tokens"])

    alone, as_text = await ids(text, special=True), await ids(text, special=False)
    return len(alone) == 1 and alone != as_text and alone[0] in await ids(f"a{text}a", special=True)


def digests(prompt: str, cuts: list[int]) -> Iterator[tuple[int, bytes]]:
    """(cut, digest of the text before it) for ascending cuts, reading the prompt once."""
    running = hashlib.blake2b(digest_size=16)
    start = 0
    for cut in cuts:
        running.update(prompt[start:cut].encode("utf-8", "surrogatepass"))
        start = cut
        yield cut, running.digest()


def _head_of(body: dict[str, Any]) -> bytes:
    """What bodies of one conversation share: the tools and the first message."""
    messages = body.get("messages") or [None]
    head = json.dumps([body.get("tools"), messages[0], body.get("chat_template_kwargs")])
    return hashlib.blake2b(head.encode(), digest_size=16).digest()
