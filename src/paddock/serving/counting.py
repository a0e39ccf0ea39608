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

from paddock.engine.pool import Lease
from paddock.errors import PaddockError

_COUNT = "/v1/chat/completions/input_tokens"
_BEGINNINGS_MOST = 512
_HEADS_MOST = 64
# What control tokens look like in every vocabulary known; whether one is a control token is asked of the engine.
_CONTROL = re.compile(r"<\|[^\s<>|]{1,40}\|>|<[a-z_]{1,24}>|\[/?[A-Z_]{2,24}\]")


@dataclass(kw_only=True)
class Counts:
    """What was learned of one engine's prompts: token counts of their beginnings, by digest."""

    beginnings: OrderedDict[bytes, int] = field(default_factory=OrderedDict[bytes, int])
    heads: OrderedDict[bytes, None] = field(default_factory=OrderedDict[bytes, None])
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
    if counts.is_familiar(_head_of(body)):
        prompt = await _prompt(lease, body)
        cuts = await _cuts(lease, counts, prompt)
        cut, tokens = counts.known(prompt, cuts)
        if cut:
            return tokens + await _rest(lease, counts, prompt, cuts, cut, tokens)
        tokens = await _whole(lease, body)
        await _learn(lease, counts, prompt, cuts, tokens)
    else:
        prompt, tokens = await _both(lease, body)
        # The end of a prompt is short and quickly counted; earlier cuts are learned when the conversation returns.
        cuts = await _cuts(lease, counts, prompt)
        await _learn(lease, counts, prompt, cuts[-1:], tokens)
    return tokens


async def _both(lease: Lease, body: dict[str, Any]) -> tuple[str, int]:
    """The rendered prompt and its count, asked for at once: the engine has a thread for each."""
    prompts: list[str] = []
    failed: list[PaddockError] = []

    async def ask_prompt() -> None:
        try:
            prompts.append(await _prompt(lease, body))
        except PaddockError as error:
            failed.append(error)

    tokens = 0
    async with anyio.create_task_group() as group:
        group.start_soon(ask_prompt)
        try:
            tokens = await _whole(lease, body)
        except PaddockError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return prompts[0], tokens


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
