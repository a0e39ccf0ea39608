"""Tests that a prompt put together from its known opening is the template's own, wherever that puts its tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.engine.pool import Lease
from paddock.serving.counting import count, opening_of

Render = Callable[[list[Any], list[str]], str]


def first(tools: list[Any], turns: list[str]) -> str:
    return f"<|im_start|>{json.dumps(tools)}" + "".join(f"<|im_end|>{turn}" for turn in turns)


def last(tools: list[Any], turns: list[str]) -> str:
    return "".join(f"<|im_end|>{turn}" for turn in turns[:-1]) + f"{json.dumps(tools)}<|im_end|>{turns[-1]}"


def told_in_number(tools: list[Any], turns: list[str]) -> str:
    """A template that never shows the tools themselves."""
    return f"<|im_start|>{len(turns)}" + "".join(f"<|im_end|>{turn}" for turn in turns)


class Engine:
    """An engine of one template, whose tokens are characters; `rendered` are the numbers of tools that it was shown."""

    def __init__(self, render: Render) -> None:
        self.render = render
        self.rendered: list[int] = []

    async def ask(self, endpoint: object, path: str, body: dict[str, Any]) -> Any:
        if path == "/tokenize":
            text = body["content"]
            is_control = body["parse_special"] and text in ("<|im_start|>", "<|im_end|>")
            return {"tokens": [1] if is_control else [ord(character) for character in text]}
        kwargs: dict[str, Any] = body.get("chat_template_kwargs") or {}
        tools: list[Any] = kwargs.get("tools") or body["tools"]
        prompt = self.render(tools, [message["content"] for message in body["messages"]])
        if path == "/apply-template":
            self.rendered.append(len(tools))
            return {"prompt": prompt}
        return {"input_tokens": len(prompt)}


def lease_of(engine: Engine) -> Lease:
    return cast("Lease", SimpleNamespace(client=engine, endpoint=None, resident=SimpleNamespace(learned={})))


@pytest.mark.rule("messages-count")
@pytest.mark.parametrize("render", [first, last, told_in_number])
def test_every_turn_is_counted_as_if_it_were_the_first(render: Render) -> None:
    tools = [{"function": {"name": f"tool{place}", "parameters": {"text": "x" * 50}}} for place in range(6)]
    engine = Engine(render)
    lease = lease_of(engine)
    turns = ["a", "be", "see <|im_end|> dee", "e"]

    async def counted() -> list[int]:
        bodies = [
            {"tools": tools, "messages": [{"content": turn} for turn in turns[:upto]]}
            for upto in range(1, len(turns) + 1)
        ]
        return [await count(lease, body) for body in bodies]

    assert anyio.run(counted) == [len(render(tools, turns[:upto])) for upto in range(1, len(turns) + 1)]


def test_the_tools_of_a_familiar_conversation_are_not_rendered_again() -> None:
    tools = [{"function": {"name": f"tool{place}"}} for place in range(6)]
    engine = Engine(first)
    lease = lease_of(engine)

    async def counted() -> None:
        for upto in (1, 2, 3):
            await count(lease, {"tools": tools, "messages": [{"content": "a"}] * upto})

    anyio.run(counted)
    assert engine.rendered.count(6) == 1


@given(st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_an_opening_is_what_is_not_shared_at_the_end(head: str, tools: str, stand_in: str, rest: str) -> None:
    whole, short = head + tools + rest, head + stand_in + rest
    opening = opening_of(whole, short)
    assert whole[len(opening.whole) :] == short[len(opening.short) :]
    assert whole.startswith(opening.whole)
    assert short.startswith(opening.short)
