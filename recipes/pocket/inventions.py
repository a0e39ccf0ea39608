"""Owns invented tools: a verb, a thing and one to three parameters, and the ways to ask for such a tool.

Names, parameters and the words around them are drawn anew for each row, so nothing about a tool can be learned by
heart: its name and parameters have to be copied from the list of tools. `held=True` takes verbs, things, clauses and
frames that training never sees.
"""

from __future__ import annotations

from typing import NamedTuple

from recipes.pocket import words
from recipes.pocket.lists import LISTS
from recipes.pocket.words import KINDS, TYPES, Source, Value

VERBS, HELD_VERBS = LISTS["verbs"], LISTS["held_verbs"]
THINGS, HELD_THINGS = LISTS["things"], LISTS["held_things"]
MORE_VERBS, MORE_THINGS = VERBS + LISTS["more_verbs"], THINGS + LISTS["more_things"]
"""Training's; where the evaluation asks for tools of training it takes the shorter lists."""
EXTRA = LISTS["extra"]
CHOICES, HELD_CHOICES = LISTS["choices"], LISTS["held_choices"]
CLAUSES, HELD_CLAUSES = LISTS["clauses"], LISTS["held_clauses"]
LOOSE = LISTS["loose"]
FRAMES, HELD_FRAMES = LISTS["frames"], LISTS["held_frames"]
PLAIN = frozenset(["text", "query", "word", "dataset", "language", "command", "person"])
"""Kinds whose values could be words of the request itself."""


class Parameter(NamedTuple):
    """What a parameter may be called, what it holds, and clauses that belong to it (`{v}` is the value)."""

    names: tuple[str, ...]
    kind: str
    seen: tuple[str, ...]
    held: tuple[str, ...]


PARAMETERS = tuple(
    Parameter(tuple(raw["names"]), raw["kind"], tuple(raw["seen"]), tuple(raw["held"])) for raw in LISTS["parameters"]
)


class Slot(NamedTuple):
    """One parameter of one tool, with what is needed to draw a value and to speak of it."""

    name: str
    kind: str
    choices: tuple[str, ...]
    clauses: tuple[str, ...]


class Invention(NamedTuple):
    """One invented tool: its schema and what its requests are made of."""

    schema: dict[str, object]
    verb: str
    thing: str
    slots: tuple[Slot, ...]
    held: bool
    """Whether its requests take the clauses and frames of the evaluation."""

    def arguments(self, source: Source) -> dict[str, Value]:
        """Fresh values for all parameters."""
        return {slot.name: draw(source, slot, self.held) for slot in self.slots}

    def ask(self, source: Source, arguments: dict[str, Value]) -> str:
        """A request that mentions exactly these arguments."""
        said = f"{self.verb} {source.choice(('the', 'a', 'the', 'this', 'my'))} {self.thing}"
        slots = [slot for slot in self.slots if slot.name in arguments]
        if source.random() < 0.4:
            source.shuffle(slots)
        for slot in slots:
            said += _clause(source, slot, arguments[slot.name], self.held)
        if self.held:
            return source.choice(HELD_FRAMES).replace("{x}", said)
        return words.strewn(source, source.choice(FRAMES)).replace("{x}", said)


def draw(source: Source, slot: Slot, held: bool) -> Value:
    """A fresh value for a parameter."""
    return source.choice(slot.choices) if slot.choices else KINDS[slot.kind](source, held)


def _clause(source: Source, slot: Slot, value: Value, held: bool) -> str:
    spoken = slot.name.replace("_", " ")
    if slot.kind == "boolean":
        said = source.choice(("true", "on", "yes") if value else ("false", "off", "no"))
        return source.choice((f", {spoken} {said}", f" with {spoken} {said}", f" {spoken}={said}"))
    if not held and source.random() < 0.35:
        form = words.strewn(source, source.choice(LOOSE))
        form = form.replace("{v}", '"{v}"') if slot.kind in PLAIN else form
        return form.replace("{p}", spoken).replace("{v}", str(value))
    own = slot.clauses and source.random() < 0.5
    form = source.choice(slot.clauses if own else (HELD_CLAUSES if held else CLAUSES))
    form = form if held else words.strewn(source, form)
    if slot.kind in ("text", "query") and '"' not in form and source.random() < 0.3:
        form = form.replace("{v}", '"{v}"')
    return form.replace("{p}", spoken).replace("{P}", spoken.capitalize()).replace("{v}", str(value))


def invent(source: Source, *, held_tools: bool, held_words: bool) -> Invention:
    """A new tool; `held_tools` takes its verb and thing from the evaluation's, `held_words` its clauses and values."""
    verbs, things = (VERBS, THINGS) if held_words else (MORE_VERBS, MORE_THINGS)
    verb = source.choice(HELD_VERBS if held_tools else verbs)
    thing = source.choice(HELD_THINGS if held_tools else things)
    if not held_words and source.random() < 0.3:
        verb = words.word(source, False)
    if not held_words and source.random() < 0.3:
        thing = words.word(source, False)
    if source.random() < 0.25:
        thing = f"{source.choice(EXTRA)} {thing}"
    if source.random() < 0.12:
        thing = words.syllables(source, 2)
    slots = _slots(source, held_words)
    name = _name(source, verb, thing)
    properties = {slot.name: _property(source, slot) for slot in slots}
    asked = list(slots)
    if len(slots) > 1 and source.random() < 0.2:
        asked.remove(source.choice(asked))
    description = source.choice(
        (
            "{V} a {t}.",
            "{V} the {t}.",
            "{V} a {t}",
            "Tool to {v} a {t}.",
            "{V}s the {t}.",
            "Use it to {v} a {t}.",
            "{T}: {v} it.",
            "Can {v} any {t}.",
        )
    ).format(V=verb.capitalize(), v=verb, t=thing, T=thing.capitalize())
    parameters = {"type": "object", "properties": properties, "required": [slot.name for slot in asked]}
    schema: dict[str, object] = {"name": name, "description": description, "parameters": parameters}
    return Invention(schema, verb, thing, tuple(asked), held_words)


def _slots(source: Source, held: bool) -> tuple[Slot, ...]:
    made: dict[str, Slot] = {}
    for parameter in source.sample(PARAMETERS, source.choice((0, 1, 1, 1, 2, 2, 2, 3, 3))):
        name = source.choice(parameter.names)
        chance = source.random()
        if chance < 0.12:
            name = words.syllables(source, 2)
        elif chance < 0.2:
            name = words.word(source, held)
        if name in made:
            continue
        kind, choices = parameter.kind, ()
        if kind == "enum":
            kind = "word"
            choices = tuple(source.choice(HELD_CHOICES if held else CHOICES))
            if source.random() < 0.25:
                choices = tuple(dict.fromkeys(words.word(source, held) for _ in range(3)))
        clauses = parameter.held if held else parameter.seen
        made[name] = Slot(name, kind, choices, clauses)
    return tuple(made.values())


def _property(source: Source, slot: Slot) -> dict[str, object]:
    made: dict[str, object] = {"type": TYPES.get(slot.kind, "string")}
    if slot.choices:
        made["enum"] = list(slot.choices)
    if source.random() < 0.3:
        spoken = slot.name.replace("_", " ")
        made["description"] = source.choice(
            (f"The {spoken}.", f"the {spoken} to use", spoken, f"{spoken.capitalize()} of it")
        )
    return made


def _name(source: Source, verb: str, thing: str) -> str:
    parts, chance = [verb, *thing.split()], source.random()
    if chance < 0.08:
        return f"{words.syllables(source, 2)}_{words.syllables(source, 2)}"
    if chance < 0.2:
        parts = [*parts[1:], verb]
    elif chance < 0.28:
        parts = [words.syllables(source, 2), *parts]
    style = source.random()
    if style < 0.12:
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    return ("-" if style < 0.2 else "." if style < 0.24 and len(parts) > 1 else "_").join(parts)
