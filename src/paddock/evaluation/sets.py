"""Owns reading sets of one's own, and the bundled model's held-out prompts; refuses whatever no try can be made of.

A set is a list of objects, in a file one a line. Covered: unknown and missing fields, wrong types, patterns and schemas
that nothing can be held to, names given twice. Not covered: whether what is wanted makes sense.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from paddock.errors import FieldInvalid, shown
from paddock.evaluation.items import CHECKS, MEASURED, Item
from paddock.protocol.schema_checking import unusable
from paddock.protocol.shape import as_array, as_object, objects_in

ITEMS_MOST = 20_000
PAIRS_MOST = 1000
_FAULTS_MOST = 50
_CHOICES_MOST = 50
_NAME_MOST_CHARACTERS = 200
_POCKET = Path(__file__).with_name("pocket.jsonl.gz")
_POCKET_ANSWER_TOKENS = 120
_FIELDS = frozenset(("case", "name", "prompt", "messages", "tools", "answer", "ignore_case", *CHECKS))
Json = Mapping[str, Any]


def items_of(rows: Sequence[Any], *, answer_tokens: int, has_judge: bool) -> list[Item]:
    """The tries of a set. Raises FieldInvalid, which names the line."""
    if not rows:
        raise FieldInvalid("The set holds no line.", param="set")
    if len(rows) > ITEMS_MOST:
        raise FieldInvalid(f"The set holds {len(rows)} lines; at most {ITEMS_MOST} are tried at once.", param="set")
    items: list[Item] = []
    names: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=1):
        item = _item(row, number, answer_tokens)
        if item.check == "judge" and not has_judge:
            raise _wrong(number, "wants a judge, and none is named. Say which model judges")
        _refuse_twice(item, names, number)
        items.append(item)
    return items


def prompts_of(rows: Sequence[Any], *, answer_tokens: int) -> list[tuple[str, dict[str, Any]]]:
    """What two models are asked in a vote, each with its name; what a set checks is left out. Raises FieldInvalid."""
    if not rows:
        raise FieldInvalid("The set holds no line.", param="set")
    if len(rows) > PAIRS_MOST:
        raise FieldInvalid(f"The set holds {len(rows)} lines; at most {PAIRS_MOST} are voted on at once.", param="set")
    found: list[tuple[str, dict[str, Any]]] = []
    for number, row in enumerate(rows, start=1):
        fields = _fields(row, number)
        if fields.get("text") is not None:
            raise _wrong(number, "is a text to be measured: no model answers it. Leave it out")
        body = _body({**fields, "choices": None}, number)
        name = _text(fields, "name", number, f"line {number}")
        found.append((name, {**body, "max_tokens": answer_tokens, "temperature": 0}))
    return found


def rows_in(text: str) -> list[Any]:
    """The lines of a file as values; empty ones are passed over. Raises FieldInvalid."""
    return [_value(line, number) for number, line in _lines(text)]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a set holds: its tries, how many of each case, whether one wants a judge; and what is wrong, by line."""

    tries: int
    cases: Mapping[str, int]
    has_judged: bool
    faults: Sequence[tuple[int, str]]


def looked_at(text: str) -> Look:
    """A set as it is written, with what is wrong in each line: the first fifty."""
    cases: dict[str, int] = {}
    names: set[tuple[str, str]] = set()
    faults: list[tuple[int, str]] = []
    has_judged = False
    lines = _lines(text)
    for number, line in lines:
        try:
            item = _item(_value(line, number), number, 1)
            _refuse_twice(item, names, number)
        except FieldInvalid as error:
            faults.append((number, error.message))
            if len(faults) == _FAULTS_MOST:
                break
            continue
        cases[item.case] = cases.get(item.case, 0) + 1
        has_judged = has_judged or item.check == "judge"
    if not lines:
        faults.append((1, "The set holds no line."))
    elif len(lines) > ITEMS_MOST:
        faults.append((ITEMS_MOST + 1, f"The set holds {len(lines)} lines; at most {ITEMS_MOST} are tried at once."))
    return Look(tries=sum(cases.values()), cases=cases, has_judged=has_judged, faults=faults)


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _value(line: str, number: int) -> Any:
    try:
        return json.loads(line, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.colno}"
        raise FieldInvalid(f"Line {number} of the set is no JSON ({why}).", param="set") from error
    except (ValueError, RecursionError) as error:
        raise FieldInvalid(f"Line {number} of the set is no JSON ({str(error)[:80]}).", param="set") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


@cache
def pocket_items() -> tuple[Item, ...]:
    """The held-out prompts of the bundled model, as `recipes.pocket.held` prints them."""
    items: list[Item] = []
    for number, line in enumerate(gzip.decompress(_POCKET.read_bytes()).decode().splitlines()):
        row = json.loads(line)
        calls, text = row["calls"], row["text"]
        body: dict[str, Any] = {"messages": row["messages"], "max_tokens": _POCKET_ANSWER_TOKENS, "temperature": 0}
        if row["tools"]:
            body |= {"tools": row["tools"], "parallel_tool_calls": calls is not None and len(calls) > 1}
        check, wanted = ("calls", calls) if calls is not None else ("silent", text or "")
        items.append(Item(case=row["cell"], name=f"prompt {number + 1}", check=check, bodies=(body,), wanted=wanted))
    return tuple(items)


def _refuse_twice(item: Item, names: set[tuple[str, str]], number: int) -> None:
    if (item.case, item.name) in names:
        raise _wrong(number, f"has the name {shown(item.name)} as an earlier one of the case {shown(item.case)}")
    names.add((item.case, item.name))


def _fields(row: Any, number: int) -> dict[str, Any]:
    fields = as_object(row)
    if fields is None:
        raise _wrong(number, f"is {shown(row)}; each line is an object")
    if unknown := next((name for name in fields if name not in _FIELDS), None):
        raise _wrong(number, f"has the field {shown(unknown)}. There are: {', '.join(sorted(_FIELDS))}")
    return fields


def _item(row: Any, number: int, answer_tokens: int) -> Item:
    fields = _fields(row, number)
    checks = [name for name in CHECKS if fields.get(name) is not None or (name == "json" and "json" in fields)]
    if len(checks) != 1:
        said = " and ".join(checks) or "none of these"
        raise _wrong(number, f"has {said}; it needs exactly one of {', '.join(CHECKS)}")
    check = checks[0]
    wanted = _WANTED[check](fields, number)
    case = _text(fields, "case", number, check)
    name = _text(fields, "name", number, f"line {number}")
    if check == "text":
        return Item(case=case, name=name, check=check, wanted=wanted)
    body = _body(fields, number)
    if check not in MEASURED:
        body |= {"max_tokens": answer_tokens, "temperature": 0}
    return Item(case=case, name=name, check=check, bodies=(body,), wanted=wanted)


def _body(fields: Json, number: int) -> dict[str, Any]:
    """What is asked: messages, or a prompt. A prompt of a measured try stays the text that it is."""
    prompt, messages = fields.get("prompt"), fields.get("messages")
    if (prompt is None) == (messages is None):
        raise _wrong(number, "needs either prompt or messages")
    if prompt is not None:
        if not isinstance(prompt, str) or not prompt:
            raise _wrong(number, f"has the prompt {shown(prompt)}, which is no text")
        if fields.get("choices") is not None:
            return {"prompt": prompt}
        messages = [{"role": "user", "content": prompt}]
    listed = objects_in(messages)
    is_whole = len(as_array(messages) or ()) == len(listed)
    if not listed or not is_whole or not all(isinstance(one.get("role"), str) for one in listed):
        raise _wrong(number, "has messages that are no list of objects with a role")
    body: dict[str, Any] = {"messages": listed}
    if (tools := fields.get("tools")) is not None:
        listed_tools = as_array(tools)
        if listed_tools is None or len(objects_in(tools)) != len(listed_tools):
            raise _wrong(number, "has tools that are no list of objects")
        body["tools"] = tools
    return body


def _text(fields: Json, name: str, number: int, usual: str) -> str:
    found = fields.get(name, usual)
    if not isinstance(found, str) or not 0 < len(found) <= _NAME_MOST_CHARACTERS or not found.isprintable():
        raise _wrong(number, f"has the {name} {shown(found)}; it must be 1 to {_NAME_MOST_CHARACTERS} letters")
    return found


def _texts(name: str) -> Callable[[Json, int], Any]:
    def wanted(fields: Json, number: int) -> Any:
        found: Any = fields[name]
        listed = as_array(found)
        texts = [found] if listed is None else listed
        if not texts or not all(isinstance(one, str) and one for one in texts):
            raise _wrong(number, f"has {name} {shown(found)}; it must be a text, or a list of texts")
        ignores = fields.get("ignore_case", False)
        if not isinstance(ignores, bool):
            raise _wrong(number, "has an ignore_case that is neither true nor false")
        return {"texts": texts, "ignore_case": ignores}

    return wanted


def _regex(fields: Json, number: int) -> str:
    pattern = fields["regex"]
    if not isinstance(pattern, str):
        raise _wrong(number, f"has the regex {shown(pattern)}, which is no text")
    if why := unusable({"type": "string", "pattern": pattern}):
        raise _wrong(number, f"has a regex that cannot be used: {why}")
    return pattern


def _schema(fields: Json, number: int) -> Any:
    schema = fields["schema"]
    if as_object(schema) is None and not isinstance(schema, bool):
        raise _wrong(number, f"has the schema {shown(schema)}, which is no object")
    if why := unusable(schema):
        raise _wrong(number, f"has a schema that cannot be used: {why}")
    return schema


def _judge(fields: Json, number: int) -> str:
    criterion = fields["judge"]
    if not isinstance(criterion, str) or not criterion.strip():
        raise _wrong(number, f"has judge {shown(criterion)}; it must say by what the answer is judged")
    return criterion


def _calls(fields: Json, number: int) -> list[dict[str, Any]]:
    calls = fields["calls"]
    listed = [
        {"name": one["name"], "arguments": arguments}
        for one in objects_in(calls)
        if isinstance(one.get("name"), str) and (arguments := as_object(one.get("arguments"))) is not None
    ]
    if not listed or len(listed) != len(as_array(calls) or ()):
        raise _wrong(number, 'has calls that are no list of {"name": …, "arguments": {…}}')
    return listed


def _silent(fields: Json, number: int) -> str:
    if fields["silent"] is not True:
        raise _wrong(number, f"has silent {shown(fields['silent'])}; it can be true, for no call of a tool")
    return ""


def _choices(fields: Json, number: int) -> Any:
    choices, answer = fields["choices"], fields.get("answer")
    texts = as_array(choices) or []
    if not 2 <= len(texts) <= _CHOICES_MOST or not all(isinstance(one, str) and one for one in texts):
        raise _wrong(number, f"has choices that are no list of 2 to {_CHOICES_MOST} texts")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(texts):
        raise _wrong(number, f"has the answer {shown(answer)}; it is a place in choices, from 0 to {len(texts) - 1}")
    return {"choices": texts, "answer": answer}


def _measured_text(fields: Json, number: int) -> str:
    text = fields["text"]
    if not isinstance(text, str) or not text:
        raise _wrong(number, f"has the text {shown(text)}, which is no text")
    if other := next((name for name in ("prompt", "messages", "tools", "answer") if name in fields), None):
        raise _wrong(number, f"has text, which is measured as it is, and {other}. Leave one out")
    return text


_WANTED: Mapping[str, Callable[[Json, int], Any]] = {
    "exact": _texts("exact"),
    "contains": _texts("contains"),
    "regex": _regex,
    "json": lambda fields, number: fields["json"],
    "schema": _schema,
    "judge": _judge,
    "calls": _calls,
    "silent": _silent,
    "choices": _choices,
    "text": _measured_text,
}


def _wrong(number: int, what: str) -> FieldInvalid:
    return FieldInvalid(f"Line {number} of the set {what}.", param="set")
