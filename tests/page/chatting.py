"""Owns what the tests of the page's chats do over and over: what the engine says, and where things are on the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Locator, expect

from tests.fakes.scripted_shapes import Answer, Chunk
from tests.page.rig import Served, Tab

LANE = "/v1/chat/completions"
USAGE = {
    "completion_tokens": 12,
    "prompt_tokens": 40,
    "total_tokens": 52,
    "prompt_tokens_details": {"cached_tokens": 30},
}
Json = dict[str, Any]


def frame(delta: Json, finish: str | None = None, **more: Any) -> str:
    """One chunk of a chat completion's stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    return f"data: {json.dumps(chunk)}\n\n"


def says(
    *pieces: str, thoughts: Sequence[str] = (), every_s: float = 0.01, finish: str = "stop", end: Any = "end"
) -> Answer:
    """An engine's answer: thoughts, then pieces of text, `every_s` apart; `end` is how it is left."""
    deltas = [{"reasoning_content": thought} for thought in thoughts] + [{"content": piece} for piece in pieces]
    chunks: list[Chunk] = [{"text": frame(delta), "delay_s": every_s} for delta in deltas]
    if end == "end":
        chunks.append({"text": frame({}, finish, usage=USAGE) + "data: [DONE]\n\n"})
    return {"chunks": chunks, "end": end}


def script(studio: Served, *answers: Answer) -> None:
    """What the engine says to the next requests; the last one stays."""
    studio.script({"routes": {LANE: list(answers)}})


def words(count: int) -> list[str]:
    """Numbered words, so that what is lost or said twice is seen."""
    return [f"w{number} " for number in range(count)]


# What does not end by itself within a test.
LONG = says(*words(3000), every_s=0.03)


def count(message: Locator) -> int:
    """How many numbered words a message has; each must be there once, in order."""
    said = content(message).inner_text().split()
    assert said == [word.strip() for word in words(len(said))]
    return len(said)


def composer(tab: Tab) -> Locator:
    """The field in which a message is written."""
    return tab.page.locator("[data-composer]")


def say(tab: Tab, text: str) -> None:
    """Write a message and send it."""
    composer(tab).fill(text)
    composer(tab).press("Enter")


def answer(tab: Tab) -> Locator:
    """The last answer on the page."""
    return tab.page.locator("[data-role=assistant]").last


def content(message: Locator) -> Locator:
    """What a message says, without its buttons."""
    return message.locator("[data-content]")


def settled(tab: Tab, status: str = "complete") -> Locator:
    """The last answer, once it is over."""
    expect(answer(tab)).to_have_attribute("data-status", status, timeout=30_000)
    return answer(tab)
