"""Owns the rows of pocket's training and evaluation: conversations with tools offered, called, answered or left alone.

A row is `{"messages": [...], "tools": [...]}` in the shape of a chat request. All comes from the source it is given:
the same seed makes the same rows on every machine. `Split` says which phrasings, values and tools may be used; what
the evaluation uses never occurs in training, except values that are drawn anew each time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from recipes.pocket import concepts, questions, words
from recipes.pocket.concepts import Concept
from recipes.pocket.inventions import EXTRA, Invention, invent
from recipes.pocket.lists import LISTS
from recipes.pocket.words import KINDS, TYPES, Source, Value

Row = dict[str, Any]
Arguments = dict[str, Value]

SYSTEMS, SKIES = LISTS["systems"], LISTS["skies"]
BEFORE, AFTER = LISTS["before"], LISTS["after"]
"""What stands before and after a request; the evaluation has the first few of each, as it always had."""
OPEN_ANSWER = "The result is: "
ANSWER = OPEN_ANSWER + "{x}"
PAIRED = frozenset(["weather", "time", "read", "list", "stock", "page", "status", "load", "unload", "download"])
"""Groups of which one request may want two."""
LOOKS_UP = ("Search", "Find", "Look up", "Define", "population", "stock", "document", "Calculator", "arithmetic")
KNOWS = ("Headlines", "headlines", "Tell about", "Information about", "Distance", "How far")
"""What tells that a tool might answer a question; the second are those of tools that only training has."""


class Split(NamedTuple):
    """What a row may use: phrasings and values of the evaluation, tools of the evaluation."""

    held_words: bool = False
    held_tools: bool = False
    known: float = 0.4
    """Share of requests for tools that training knows by heart."""


TRAINING = Split()
UNSEEN = frozenset(name for concept in concepts.HELD for name in concept.names)
"""Names that chance must not invent in training."""


class Request(NamedTuple):
    """One tool and how to ask for it."""

    schema: dict[str, Any]
    group: str
    topics: frozenset[str]
    draw: Callable[[Source], Arguments]
    ask: Callable[[Source, Arguments], str]

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.schema["name"]


def request(source: Source, split: Split) -> Request:
    """A tool that can be asked for: known or invented."""
    if source.random() < split.known:
        return _known(source, source.choice(_concepts(split)), split)
    return _invented(source, split)


def _concepts(split: Split) -> tuple[Concept, ...]:
    if split.held_tools:
        return concepts.HELD
    return concepts.ASKED if split.held_words else concepts.SEEN


def _invented(source: Source, split: Split) -> Request:
    made = _invention(source, split)
    topics = frozenset((made.verb, *made.thing.split())) - frozenset(EXTRA)
    return Request(dict(made.schema), "", topics, made.arguments, made.ask)


def _invention(source: Source, split: Split) -> Invention:
    while True:
        made = invent(source, held_tools=split.held_tools, held_words=split.held_words)
        if split.held_tools or made.schema["name"] not in UNSEEN:
            return made


def _known(source: Source, concept: Concept, split: Split) -> Request:
    names: list[str] = []
    properties: dict[str, Any] = {}
    described = source.random() < 0.4
    for choices, kind in concept.parameters:
        name = next(n for n in (source.choice(choices), *choices) if n not in properties)
        names.append(name)
        properties[name] = {"type": TYPES.get(kind, "string")}
        if described:
            properties[name]["description"] = source.choice(("The {}.", "{} to use", "the {}", "{}")).format(
                name.replace("_", " ")
            )
    required = list(properties)
    if source.random() < 0.1:
        properties.setdefault(
            *source.choice(
                (("limit", {"type": "integer"}), ("unit", {"type": "string"}), ("verbose", {"type": "boolean"}))
            )
        )
    names_given = concept.names if split.held_words else concept.names + concept.also
    name, description = source.choice(names_given), source.choice(concept.descriptions)
    if source.random() < 0.15:
        name = f"{words.syllables(source, 2)}_{source.choice((name, words.syllables(source, 2)))}"
    schema = {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required},
    }
    kinds = [kind for _, kind in concept.parameters]

    def draw(source: Source) -> Arguments:
        return {name: KINDS[kind](source, split.held_words) for name, kind in zip(names, kinds, strict=True)}

    def ask(source: Source, arguments: Arguments) -> str:
        said = source.choice(concept.held if split.held_words else concept.seen).format(*arguments.values())
        before, after = (BEFORE[:6], AFTER[:4]) if split.held_words else (BEFORE, AFTER)
        if source.random() < 0.25:
            said = source.choice(before) + said
        if said[-1] not in "?!" and source.random() < 0.2:
            said += source.choice(after)
        return said

    return Request(schema, concept.group, frozenset(name.split("_")), draw, ask)


def offer(source: Source, wanted: Request, count: int, split: Split) -> list[Request]:
    """`count` tools in any order: the wanted one and others that the same words cannot mean."""
    offered = [wanted]
    while len(offered) < count:
        other = request(source, split)
        if source.random() < (0.3 if split.held_words else 0.45) and not wanted.group and not other.group:
            other = _sibling(source, wanted, split)
        if not any(_clash(other, one, split) for one in offered):
            offered.append(other)
    source.shuffle(offered)
    return offered


def schemas(offered: list[Request]) -> list[dict[str, Any]]:
    """The tools in the shape of a chat request."""
    return [{"type": "function", "function": one.schema} for one in offered]


def _clash(one: Request, other: Request, split: Split) -> bool:
    if one.name == other.name or one.schema["description"] == other.schema["description"]:
        return True
    if one.group and other.group:
        return concepts.alike(one.group, other.group, held=split.held_words)
    if one.group or other.group:
        return bool(one.topics & other.topics)
    return one.topics == other.topics


def _sibling(source: Source, wanted: Request, split: Split) -> Request:
    """A tool that shares its verb or its thing with the wanted one, so that one word does not decide."""
    for _ in range(30):
        made = _invented(source, split)
        if made.topics & wanted.topics:
            return made
    return request(source, split)


def call(*made: tuple[str, Arguments]) -> dict[str, Any]:
    """The assistant's message that calls tools."""
    calls = [{"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in made]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def tool_row(source: Source, split: Split = TRAINING, *, turns: int, tools: int) -> Row:
    """`turns` requests, each for one of `tools` offered tools; the last ends with the call or with what came of it."""
    wanted = request(source, split)
    offered = offer(source, wanted, tools, split)
    messages = _system(source, split)
    for turn in range(turns):
        if turn and source.random() < 0.25:
            messages += _chat(source, split)
        messages += _turn(source, source.choice(offered) if turn else wanted, split)
    return {"messages": messages, "tools": schemas(offered)}


def _turn(source: Source, wanted: Request, split: Split) -> list[dict[str, Any]]:
    arguments = wanted.draw(source)
    asked = _capital(source, wanted.ask(source, arguments))
    if len(arguments) == 1 and wanted.group in PAIRED and source.random() < 0.1:
        pair = _pair(source, wanted, arguments)
        if pair is not None:
            return pair
    messages = [{"role": "user", "content": asked}, call((wanted.name, arguments))]
    if source.random() < 0.4:
        content, shown = result(source, wanted.group, split)
        messages += [{"role": "tool", "content": content}, {"role": "assistant", "content": ANSWER.format(x=shown)}]
    return messages


def _pair(source: Source, wanted: Request, first: Arguments) -> list[dict[str, Any]] | None:
    """One request for two values, answered by two calls."""
    second = wanted.draw(source)
    (name, one), (_, two) = *first.items(), *second.items()
    asked = wanted.ask(source, first)
    if one == two or asked.count(str(one)) != 1 or '"' in asked or " and " in f"{one}{two}":
        return None
    return [
        {"role": "user", "content": _capital(source, asked.replace(str(one), f"{one} and {two}"))},
        call((wanted.name, {name: one}), (wanted.name, {name: two})),
    ]


def result(source: Source, group: str, split: Split) -> tuple[str, str]:
    """What a tool answers, and the part of it that belongs in the answer."""
    held, chance = split.held_words, source.random()
    if group == "weather" and chance < 0.8:
        made = f"{source.randint(-9, 38)} C, {source.choice(SKIES)}"
    elif chance < 0.3:
        made = str(words.number(source, held))
    elif chance < 0.75:
        made = words.text(source, held, 6)
    else:
        made = str(source.choice((words.path, words.code, words.date, words.model, words.person))(source, held))
    if source.random() < 0.3:
        key = source.choice(("result", "output", "value", "content", "status", "temperature", words.word(source, held)))
        return json.dumps({key: made}), made
    return made, made


def talk_row(source: Source, split: Split = TRAINING, *, tools: int) -> Row:
    """A row without a call: a question, small talk, or a request that none of `tools` offered tools fits."""
    messages = _system(source, split)
    offered = offer(source, request(source, split), tools, split) if tools else []
    return {"messages": messages + _talk(source, split, offered), "tools": schemas(offered)}


def _talk(source: Source, split: Split, offered: list[Request]) -> list[dict[str, Any]]:
    if offered and source.random() < (0.35 if split.held_words else 0.6):
        return _unfitting(source, split, offered)
    hints = LOOKS_UP if split.held_words else LOOKS_UP + KNOWS
    known_only = any(hint in json.dumps(schemas(offered)) for hint in hints)
    messages: list[dict[str, Any]] = []
    for _ in range(source.choice((1, 1, 2))):
        messages += _chat(source, split, known_only=known_only)
    return messages


def _chat(source: Source, split: Split, *, known_only: bool = True) -> list[dict[str, Any]]:
    if known_only or source.random() < 0.7:
        chosen = source.choice(questions.QUESTIONS)
        asked, said = source.choice(chosen.held if split.held_words else chosen.seen), chosen.answer
    else:
        held = split.held_words
        form = source.choice(questions.UNKNOWN_HELD if held else questions.UNKNOWN_SEEN)
        asked = form.format(
            a=words.word(source, held),
            b=words.word(source, held),
            n=source.randint(1900, 2030),
            c=words.city(source, held),
            p=words.person(source, held),
        )
        said = questions.UNKNOWN
    return [{"role": "user", "content": _capital(source, asked)}, {"role": "assistant", "content": said}]


def _unfitting(source: Source, split: Split, offered: list[Request]) -> list[dict[str, Any]]:
    """A request for a tool that is not there."""
    spoken = json.dumps(schemas(offered)).lower()
    while True:
        other = request(source, split)
        known = bool(other.group) and any(one.group for one in offered)
        if (
            not known
            and not any(topic in spoken for topic in other.topics)
            and not any(_clash(other, one, split) for one in offered)
        ):
            asked = _capital(source, other.ask(source, other.draw(source)))
            return [{"role": "user", "content": asked}, {"role": "assistant", "content": questions.NO_TOOL}]


def _system(source: Source, split: Split) -> list[dict[str, Any]]:
    chance = source.random()
    if chance < 0.5:
        return []
    said = source.choice(SYSTEMS)
    if chance > 0.85:
        said = " ".join(words.text(source, split.held_words, 8).capitalize() + "." for _ in range(source.randint(1, 3)))
    return [{"role": "system", "content": said}]


def _capital(source: Source, said: str) -> str:
    return said[0].upper() + said[1:] if source.random() < 0.35 else said


class Sheet(NamedTuple):
    """Conversations that begin alike: the same system message and the same tools."""

    system: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    conversations: list[list[dict[str, Any]]]


def sheets(seed: int, *, talk: float, tools: int, conversations: int, known: float = TRAINING.known) -> Iterator[Sheet]:
    """Training's sheets without end: a share `talk` of conversations without calls, at most `tools` tools."""
    source, split = random.Random(seed), Split(known=known)
    while True:
        system = _system(source, split)
        if source.random() < talk / 3:
            made = [_talk(source, split, []) for _ in range(conversations * 2)]
            yield Sheet(system, [], made)
            continue
        count = max(source.randint(1, tools), source.randint(1, tools))
        offered = offer(source, request(source, split), count, split)
        made = [_conversation(source, offered, talk, split) for _ in range(conversations)]
        yield Sheet(system, schemas(offered), made)


def _conversation(source: Source, offered: list[Request], talk: float, split: Split) -> list[dict[str, Any]]:
    if source.random() < talk:
        return _talk(source, split, offered)
    messages = _turn(source, source.choice(offered), split)
    if source.random() < 0.15:
        messages += _chat(source, split) if source.random() < 0.25 else []
        messages += _turn(source, source.choice(offered), split)
    return messages


def rows(seed: int, *, talk: float, tools: int) -> Iterator[Row]:
    """The same one by one, as rows."""
    for made in sheets(seed, talk=talk, tools=tools, conversations=1):
        for messages in made.conversations:
            yield {"messages": made.system + messages, "tools": made.tools}
