"""Owns what a certificate asks: chats of many kinds and texts of many scripts, the same for every model; pure."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]


def _tool(name: str, **parameters: str) -> dict[str, Any]:
    properties = {one: {"type": kind} for one, kind in parameters.items()}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Does what is called {name.replace('_', ' ')}.",
            "parameters": {"type": "object", "properties": properties, "required": list(parameters)},
        },
    }


_WEATHER = _tool("get_weather", city="string")
_SEARCH = _tool("search_docs", query="string", limit="integer")
_MAIL = _tool("send_mail", to="string", subject="string", body="string")


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _said(text: str, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


def _called(name: str, **arguments: Any) -> list[dict[str, Any]]:
    return [{"id": "call_0001", "type": "function", "function": {"name": name, "arguments": arguments}}]


def _result(text: str) -> Message:
    return {"role": "tool", "tool_call_id": "call_0001", "name": "get_weather", "content": text}


_STORY = "The llama went up the hill, ate of the hay, and came down again before it was dark. "
_SYSTEM: Message = {"role": "system", "content": "Answer in one sentence."}
_ASKED = (
    "Hello!", "What is a llama?", "Count from one to five.", "Write a haiku about rain.", "2 + 2 =", "Who are you?",
    "Name three rivers.", "Translate 'good morning' into French.", "Is 17 a prime number?", "  spaces   and\ttabs\n\n",
    "def add(a, b):\n    return", '{"name": "x", "values": [1, 2.5, null]}', "https://example.org/a?b=c&d=%20",
)  # fmt: skip
_UNICODE = (
    "Grüße aus Köln, ß und ẞ", "Привет, как дела?", "今日はいい天気ですね。", "مرحبا بالعالم", "नमस्ते दुनिया",
    "🦙🏔️ 👩‍👩‍👧",
    "e\u0301 is not é", "a\u200bb\u00a0c", "한국어로 대답해 주세요",
)  # fmt: skip

CHATS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((f"chat {n}", {"messages": [_user(text)]}) for n, text in enumerate(_ASKED, 1)),
    *((f"unicode {n}", {"messages": [_user(text)]}) for n, text in enumerate(_UNICODE, 1)),
    ("system", {"messages": [_SYSTEM, _user("What is rain?")]}),
    ("system, several turns", {"messages": [_SYSTEM, _user("Hi"), _said("Hello."), _user("And now?")]}),
    (
        "several turns",
        {"messages": [_user("Hi"), _said("Hello."), _user("Again"), _said("Hello again."), _user("Bye")]},
    ),
    ("thinking before", {"messages": [_user("Hi"), _said("Hello.", reasoning_content="A greeting."), _user("So?")]}),
    ("thinking in text", {"messages": [_user("Hi"), _said("<think>A greeting.</think>Hello."), _user("So?")]}),
    ("tool", {"messages": [_user("What is the weather in Lisbon?")], "tools": [_WEATHER]}),
    ("two tools", {"messages": [_user("Search for adapters.")], "tools": [_WEATHER, _SEARCH]}),
    ("three tools", {"messages": [_user("Write to Mira.")], "tools": [_WEATHER, _SEARCH, _MAIL]}),
    (
        "tool and its result",
        {
            "messages": [
                _user("What is the weather in Köln?"),
                _said("", tool_calls=_called("get_weather", city="Köln")),
                _result('{"sky": "clear"}'),
            ],
            "tools": [_WEATHER],
        },
    ),
    (
        "tool, result, and on",
        {
            "messages": [
                _user("Weather in Rome?"),
                _said("", tool_calls=_called("get_weather", city="Rome")),
                _result("rain"),
                _said("It rains."),
                _user("Thank you"),
            ],
            "tools": [_WEATHER],
        },
    ),
    ("long", {"messages": [_user(_STORY * 12 + "What did it eat?")]}),
    ("longer", {"messages": [_SYSTEM, _user(_STORY * 30 + "Where did it go?")]}),
)
TEXTS: tuple[str, ...] = (*_ASKED, *_UNICODE, _STORY, "")
CALLS = tuple(number for number, (name, _) in enumerate(CHATS) if name in ("tool", "two tools", "three tools"))


def over_the_wire(body: dict[str, Any]) -> dict[str, Any]:
    """A chat as it is sent to an engine: the arguments of calls as text."""
    messages = [
        {**one, "tool_calls": [_as_text(call) for call in one["tool_calls"]]} if "tool_calls" in one else one
        for one in body["messages"]
    ]
    return {**body, "messages": messages}


def _as_text(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.dumps(function["arguments"], ensure_ascii=False)}}
