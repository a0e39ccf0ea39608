"""Owns judging one answer by the check of its try; refuses to ask anything, or to know where tries come from.

Covered: text, patterns, JSON, calls and their arguments as they are written. Not covered: meaning, but by a judge.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from paddock.evaluation.items import Item, Verdict
from paddock.protocol.schema_checking import faults_of
from paddock.protocol.shape import as_array, as_object, objects_in
from paddock.protocol.strict_reading import Heard

_SHOWN_CHARACTERS = 2000
_FENCED = re.compile(r"\A\s*```[A-Za-z0-9]*\n(.*?)\n?```\s*\Z", re.DOTALL)
# How calls begin that a model writes as text, where no parser took them for calls.
_MARKUP = ("<tool_call>", "<|tool_call|>", "[TOOL_CALLS]", "<function=", "<|python_tag|>")


def judged(item: Item, heard: Sequence[Heard]) -> Verdict:
    """What one try's answers are worth, by its check."""
    said = shown(heard)
    if faults := [fault for one in heard for fault in one.faults]:
        return Verdict(passed=False, why=f"the answer breaks its form: {faults[0][:200]}", said=said)
    why, marks = _CHECKS[item.check](item, heard)
    return Verdict(passed=not why, why=why, said=said, marks=marks)


def shown(heard: Sequence[Heard]) -> str:
    """Answers as a person reads them, cut."""
    texts: list[str] = []
    for one in heard:
        calls = [f"{call.name}({call.arguments})" for call in one.calls]
        texts.append("\n".join(filter(None, (one.text, *calls, "[cut]" if one.is_cut else ""))))
    text = "\n---\n".join(texts)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def has_fit_calls(heard: Heard, tools: Any) -> str:
    """Why not every call is one of the tools with arguments that its schema allows; "" where each is."""
    offered = {
        str(function.get("name")): function.get("parameters")
        for tool in objects_in(tools)
        if (function := as_object(tool.get("function"))) is not None
    }
    for call in heard.calls:
        if call.name not in offered:
            return f"it calls {call.name[:80]!r}, which is not offered"
        if parsed(call.arguments) is None:
            cut = "are cut: the answer may not be longer" if heard.is_cut else "are no JSON object"
            return f"the arguments of {call.name} {cut}"
        schema = offered[call.name]
        if schema is not None and (faults := faults_of(call.arguments, schema)):
            return f"{call.name}: {faults[0]}"
    return ""


def parsed(arguments: str) -> dict[str, Any] | None:
    """A call's arguments; None where they are no JSON object."""
    try:
        return as_object(json.loads(arguments))
    except (ValueError, RecursionError):
        return None


def is_same(one: Any, two: Any) -> bool:
    """Whether two JSON values are equal: a number is no truth value, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    first, second = as_object(one), as_object(two)
    if first is not None and second is not None:
        return first.keys() == second.keys() and all(is_same(first[name], second[name]) for name in first)
    left, right = as_array(one), as_array(two)
    if left is not None and right is not None:
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(one, float) and math.isnan(one):
        return False
    return bool(one == two)


def speaks(heard: Heard) -> str:
    """Why an answer is no plain text: it has calls, or writes one as text; "" where it is."""
    if heard.calls:
        return f"it calls {heard.calls[0].name[:80]!r}"
    if mark := next((mark for mark in _MARKUP if mark in heard.text), None):
        return f"it writes a call as text ({mark})"
    return ""


def first_json(text: str) -> Any:
    """The JSON that an answer is, also within one fence. Raises ValueError or RecursionError."""
    fenced = _FENCED.match(text)
    return json.loads(fenced.group(1) if fenced else text)


Judged = tuple[str, Mapping[str, bool]]


def _exact(item: Item, heard: Sequence[Heard]) -> Judged:
    said, texts = _folded(item, heard[0].text)
    return ("" if said.strip() in {one.strip() for one in texts} else f"it is not {_list(item)}"), {}


def _contains(item: Item, heard: Sequence[Heard]) -> Judged:
    said, texts = _folded(item, heard[0].text)
    return ("" if any(one in said for one in texts) else f"it holds nothing of {_list(item)}"), {}


def _folded(item: Item, text: str) -> tuple[str, list[str]]:
    texts = cast("list[str]", item.wanted["texts"])
    return (text.casefold(), [one.casefold() for one in texts]) if item.wanted["ignore_case"] else (text, texts)


def _list(item: Item) -> str:
    return json.dumps(item.wanted["texts"], ensure_ascii=False)[:200]


def _regex(item: Item, heard: Sequence[Heard]) -> Judged:
    faults = faults_of(json.dumps(heard[0].text), {"type": "string", "pattern": item.wanted})
    return ("" if not faults else "the pattern is nowhere in it"), {}


def _json(item: Item, heard: Sequence[Heard]) -> Judged:
    try:
        found = first_json(heard[0].text)
        return ("" if is_same(found, item.wanted) else "the JSON is another one"), {"json": True}
    except (ValueError, RecursionError):
        return "it is no JSON", {"json": False}


def _schema(item: Item, heard: Sequence[Heard]) -> Judged:
    try:
        text = json.dumps(first_json(heard[0].text))
    except (ValueError, RecursionError):
        return "it is no JSON", {"json": False}
    faults = faults_of(text, item.wanted)
    return (faults[0] if faults else ""), {"json": True}


def _calls(item: Item, heard: Sequence[Heard]) -> Judged:
    """As the bundled model's table counts: a call of whole JSON, the right tools, and all of it right."""
    made = [{"name": call.name, "arguments": parsed(call.arguments)} for call in heard[0].calls]
    shape = bool(made) and all(one["arguments"] is not None for one in made)
    wanted = cast("list[dict[str, Any]]", item.wanted)
    names = shape and [one["name"] for one in made] == [one["name"] for one in wanted]
    exact = names and is_same(made, wanted)
    marks = {"shape": shape, "names": names, "exact": exact}
    if exact:
        return "", marks
    what = "other arguments" if names else "other tools" if shape else "arguments that are no JSON" if made else "none"
    return f"it should call {json.dumps(wanted, ensure_ascii=False)[:300]}, and has {what}", marks


def _silent(item: Item, heard: Sequence[Heard]) -> Judged:
    why = speaks(heard[0])
    holds = not why and str(item.wanted) in heard[0].text
    if not why and not holds:
        why = f"it does not hold {str(item.wanted)[:200]!r}"
    is_silent = not speaks(heard[0])
    return why, {"shape": is_silent, "names": is_silent, "exact": holds}


def _forced(item: Item, heard: Sequence[Heard]) -> Judged:
    return (has_fit_calls(heard[0], item.bodies[0]["tools"]) if heard[0].calls else "it calls no tool"), {}


def _named(item: Item, heard: Sequence[Heard]) -> Judged:
    if other := next((call.name for call in heard[0].calls if call.name != item.wanted), None):
        return f"it calls {other[:80]!r}, and {item.wanted} was named", {}
    return _forced(item, heard)


def _refusal(item: Item, heard: Sequence[Heard]) -> Judged:
    return speaks(heard[0]) or ("" if heard[0].text.strip() else "it says nothing"), {}


def _fit_and_right(item: Item, heard: Sequence[Heard]) -> Judged:
    """Each wanted call is made: it fits its schema, and its arguments hold at least what is wanted of them."""
    called = bool(heard[0].calls)
    unfit = has_fit_calls(heard[0], item.bodies[0]["tools"]) if called else "it calls no tool"
    made = [(call.name, parsed(call.arguments) or {}) for call in heard[0].calls]
    wanted = cast("list[dict[str, Any]]", item.wanted)
    lacking = [one for one in wanted if not any(_holds(one, name, arguments) for name, arguments in made)]
    marks = {"called": called, "fits": not unfit, "right": not unfit and not lacking}
    if unfit:
        return unfit, marks
    if lacking:
        return f"it should call {json.dumps(lacking[0], ensure_ascii=False)[:300]}", marks
    more = len(made) - len(wanted)
    return (f"it makes {more} calls more than were wanted" if more > 0 else ""), marks


def _holds(wanted: Mapping[str, Any], name: str, arguments: Mapping[str, Any]) -> bool:
    asked = cast("Mapping[str, Any]", wanted["arguments"])
    return name == wanted["name"] and all(one in arguments and is_same(arguments[one], asked[one]) for one in asked)


def _streamed(item: Item, heard: Sequence[Heard]) -> Judged:
    plain, streamed = heard
    one = [(call.name, parsed(call.arguments)) for call in plain.calls]
    two = [(call.name, parsed(call.arguments)) for call in streamed.calls]
    if not is_same([list(call) for call in one], [list(call) for call in two]):
        return "streamed, it has other calls", {}
    return ("" if plain.text.strip() == streamed.text.strip() else "streamed, it has another text"), {}


def _truncated(item: Item, heard: Sequence[Heard]) -> Judged:
    """What is no whole call is told as cut; what is told as finished is whole."""
    if heard[0].is_cut:
        return "", {}
    return has_fit_calls(heard[0], item.bodies[0]["tools"]), {}


_CHECKS: Mapping[str, Callable[[Item, Sequence[Heard]], Judged]] = {
    "exact": _exact, "contains": _contains, "regex": _regex, "json": _json, "schema": _schema, "calls": _calls,
    "silent": _silent, "forced": _forced, "named": _named, "refusal": _refusal, "right calls": _fit_and_right,
    "streamed": _streamed, "truncated": _truncated,
}  # fmt: skip
