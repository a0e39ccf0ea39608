"""Owns the tries of tool calling: twelve cases, what each asks, and what a conforming answer holds; judges nothing.

Covered: choices of tools, shapes of arguments, many tools, streams, cut answers, tools that do not fit, results.
Not covered: long conversations, images, and whether a call was a good idea.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paddock.evaluation.items import Item

Json = dict[str, Any]
_CUT_TOKENS = (4, 8, 12, 16, 24)
_MANY = 60


def _tool(name: str, says: str, properties: Json, required: Sequence[str] | None = None) -> Json:
    parameters = {"type": "object", "properties": properties, "required": list(required or properties)}
    return {"type": "function", "function": {"name": name, "description": says, "parameters": parameters}}


_CITY = {"city": {"type": "string", "description": "Name of the city"}}
WEATHER = _tool("get_weather", "Tell the weather in a city.", _CITY)
TIME = _tool("get_time", "Tell the time in a city.", _CITY)
PLAY = _tool("play_song", "Play a song by its title.", {"title": {"type": "string"}})
BOOKS = _tool("search_books", "Search books about a subject.", {"subject": {"type": "string"}})
DELETE = _tool("delete_file", "Delete a file.", {"path": {"type": "string"}})
LIGHT = _tool(
    "set_light",
    "Switch the light of a room.",
    {"room": {"type": "string"}, "state": {"type": "string", "enum": ["on", "off", "dimmed"]}},
)
SIZE = _tool(
    "order_shirt",
    "Order a shirt.",
    {
        "size": {"type": "string", "enum": ["small", "medium", "large"]},
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
    },
)
MEETING = _tool(
    "create_meeting",
    "Create a meeting.",
    {
        "title": {"type": "string"},
        "place": {
            "type": "object",
            "properties": {"building": {"type": "string"}, "room": {"type": "integer"}},
            "required": ["building", "room"],
        },
        "guests": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        },
    },
)
MESSAGE = _tool("send_message", "Send a message.", {"to": {"type": "string"}, "text": {"type": "string"}})
_FEW = [WEATHER, TIME, PLAY]
_CITIES = ("Oslo", "Lisbon", "Cairo", "Lima", "Hanoi")
_SUBJECTS = (
    "apples", "bridges", "castles", "deserts", "engines", "ferries", "gardens", "harbours", "islands", "jewels",
    "kites", "lanterns", "mountains", "needles", "oceans", "pianos", "quarries", "rivers", "sails", "trains",
    "umbrellas", "violins", "wheels", "yachts", "zebras", "anchors", "bells", "clocks", "drums", "eagles",
    "falcons", "glaciers", "helmets", "insects", "jackets", "kettles", "ladders", "mirrors", "nets", "orchards",
    "paintings", "quilts", "ropes", "statues", "tunnels", "urns", "valleys", "windmills", "yards", "zinnias",
    "arches", "baskets", "candles", "domes", "elms", "fossils", "gates", "hills", "inks", "jars",
)  # fmt: skip


def items(answer_tokens: int) -> list[Item]:
    """Every try, case by case."""
    return [item for make in _CASES for item in make(answer_tokens)]


def _item(
    case: str,
    asked: str | Sequence[Json],
    tools: Sequence[Json],
    check: str,
    tokens: int,
    wanted: Any = None,
    **more: Any,
) -> Item:
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked)
    body = {"messages": messages, "tools": list(tools), "temperature": 0, "max_tokens": tokens, **more}
    name = str(next(one["content"] for one in reversed(messages) if one["role"] == "user"))
    return Item(case=case, name=name, check=check, bodies=(body,), wanted=wanted)


def _call(name: str, **arguments: Any) -> Json:
    return {"name": name, "arguments": arguments}


def _forced(tokens: int) -> list[Item]:
    asked = [*(f"What is the weather in {city}?" for city in _CITIES), "Hello!", "Tell me a joke."]
    return [_item("forced", one, _FEW, "forced", tokens, tool_choice="required") for one in asked]


def _none(tokens: int) -> list[Item]:
    asked = [*(f"What is the weather in {city}?" for city in _CITIES), "Call get_time for Oslo."]
    return [_item("none", one, _FEW, "refusal", tokens, tool_choice="none") for one in asked]


def _named(tokens: int) -> list[Item]:
    asked = [*(f"What is the weather in {city}?" for city in _CITIES), "Play something by Grieg."]
    choice = {"type": "function", "function": {"name": "get_time"}}
    return [_item("named", one, _FEW, "named", tokens, "get_time", tool_choice=choice) for one in asked]


def _parallel(tokens: int) -> list[Item]:
    pairs = (("Oslo", "Lima"), ("Cairo", "Hanoi"), ("Lisbon", "Oslo"), ("Lima", "Cairo"), ("Hanoi", "Lisbon"))
    return [
        _item(
            "parallel", f"What is the weather in {one}, and in {two}? Ask for both at once.", _FEW,
            "right calls", tokens,
            [_call("get_weather", city=one), _call("get_weather", city=two)], parallel_tool_calls=True,
        )
        for one, two in pairs
    ]  # fmt: skip


def _nested(tokens: int) -> list[Item]:
    wishes = (
        ("Budget", "North", 12, ("Ada", "Grace")), ("Review", "South", 3, ("Alan",)),
        ("Launch", "Tower", 40, ("Mary", "Tim")),
        ("Retreat", "Annex", 7, ("Linus", "Ken", "Bjarne")), ("Interview", "West", 101, ("Barbara",)),
    )  # fmt: skip
    return [
        _item(
            "nested",
            f"Create the meeting '{title}' in the building {building}, room {room}. Guests: {', '.join(guests)}.",
            [MEETING, WEATHER], "right calls", tokens,
            [_call(
                "create_meeting", title=title, place={"building": building, "room": room},
                guests=[{"name": one} for one in guests],
            )],
        )
        for title, building, room, guests in wishes
    ]  # fmt: skip


def _enum(tokens: int) -> list[Item]:
    lights = (("kitchen", "Switch on the light in the kitchen.", "on"), ("hall", "Turn the hall's light off.", "off"),
              ("bedroom", "Dim the light in the bedroom.", "dimmed"))  # fmt: skip
    shirts = (("Order a big blue shirt.", "large", "blue"), ("Order the smallest red shirt.", "small", "red"),
              ("Order a medium green shirt.", "medium", "green"))  # fmt: skip
    found = [
        _item("enum", asked, [LIGHT, WEATHER], "right calls", tokens, [_call("set_light", room=room, state=state)])
        for room, asked, state in lights
    ]
    return found + [
        _item("enum", asked, [SIZE, WEATHER], "right calls", tokens, [_call("order_shirt", size=size, colour=colour)])
        for asked, size, colour in shirts
    ]


def _unicode(tokens: int) -> list[Item]:
    cities = ("Zürich", "東京", "Ålesund", "Αθήνα", "القاهرة")
    found = [
        _item(
            "unicode", f"What is the weather in {city}?", _FEW, "right calls", tokens, [_call("get_weather", city=city)]
        )
        for city in cities
    ]
    said = "Grüße 👋🏽 — “bis später”"
    wanted = [_call("send_message", to="Zoë", text=said)]
    asked = f"Send Zoë exactly this message: {said}"
    return [*found, _item("unicode", asked, [MESSAGE, WEATHER], "right calls", tokens, wanted)]


def _many(tokens: int) -> list[Item]:
    tools = [_tool(f"find_{one}", f"Find {one} near a city.", _CITY) for one in _SUBJECTS[:_MANY]]
    picked = zip((3, 17, 29, 41, 58), _CITIES, strict=True)
    return [
        _item(
            "60 tools", f"Find {_SUBJECTS[place]} near {city}.", tools, "right calls", tokens,
            [_call(f"find_{_SUBJECTS[place]}", city=city)],
        )
        for place, city in picked
    ]  # fmt: skip


def _streamed(tokens: int) -> list[Item]:
    asked = (
        *((f"What is the weather in {city}?", _FEW) for city in _CITIES[:3]), ("Play 'Für Elise'.", _FEW),
        ("Hello! Who are you?", _FEW), ("Switch on the light in the kitchen.", [LIGHT, WEATHER]),
    )  # fmt: skip
    found: list[Item] = []
    for words, tools in asked:
        plain = _item("streamed", words, tools, "streamed", tokens)
        found.append(
            Item(
                case=plain.case, name=plain.name, check=plain.check,
                bodies=(plain.bodies[0], {**plain.bodies[0], "stream": True}),
            )
        )  # fmt: skip
    return found


def _truncated(tokens: int) -> list[Item]:
    found: list[Item] = []
    for place, most in enumerate(_CUT_TOKENS):
        asked = "Send Ada a long message that tells her in ten sentences all that you know of rivers."
        for is_streamed in (False, True):
            made = _item(
                "truncated", asked, [MESSAGE], "truncated", min(most, tokens), tool_choice="required",
                **({"stream": True} if is_streamed else {}),
            )  # fmt: skip
            name = f"{_CUT_TOKENS[place]} tokens{', streamed' if is_streamed else ''}"
            found.append(Item(case=made.case, name=name, check=made.check, bodies=made.bodies))
    return found


def _refusal(tokens: int) -> list[Item]:
    asked = (
        "Hello! How are you?", "What is two and two?", "Say thank you in French.", "What is the capital of France?",
        "Write one line about the sea.", "Which is heavier, iron or wood?",
    )  # fmt: skip
    return [_item("no tool fits", one, [DELETE, LIGHT], "refusal", tokens) for one in asked]


def _result(tokens: int) -> list[Item]:
    results = (
        ("What is the weather in Oslo?", WEATHER, {"city": "Oslo"}, "17 degrees and rain", "17"),
        ("What time is it in Lima?", TIME, {"city": "Lima"}, "21:45", "21:45"),
        ("What is the weather in Cairo?", WEATHER, {"city": "Cairo"}, "38 degrees and sun", "38"),
        ("Which books are there about owls?", BOOKS, {"subject": "owls"}, "The Night Watch", "Night Watch"),
        ("What is the weather in Hanoi?", WEATHER, {"city": "Hanoi"}, "26 degrees and fog", "26"),
    )
    found: list[Item] = []
    for number, (asked, tool, arguments, result, wanted) in enumerate(results):
        name = tool["function"]["name"]
        called = {"name": name, "arguments": json.dumps(arguments)}
        messages: list[Mapping[str, Any]] = [
            {"role": "user", "content": asked},
            {
                "role": "assistant", "content": "",
                "tool_calls": [{"id": f"call_{number}", "type": "function", "function": called}],
            },
            {"role": "tool", "tool_call_id": f"call_{number}", "name": name, "content": result},
        ]  # fmt: skip
        found.append(_item("result used", [dict(one) for one in messages], [tool, PLAY], "silent", tokens, wanted))
    return found


_CASES: tuple[Callable[[int], list[Item]], ...] = (
    _forced, _none, _named, _parallel, _nested, _enum, _unicode, _many, _streamed, _truncated, _refusal, _result,
)  # fmt: skip
