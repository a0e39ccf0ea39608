"""Owns what rows mean that hold no answer to copy: two to prefer one of, one with a verdict, or none but a task.

An answer is one message of the assistant, words or calls of tools. What stands before it is the prompt, also where a
file has written the whole conversation into both answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from paddock.data.refusals import wrong
from paddock.data.rows import Message, has, messages_of, text_of, tools_of
from paddock.errors import shown

_VERDICTS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A prompt with the answer that is preferred and the one that is not."""

    prompt: tuple[Message, ...]
    chosen: Message
    rejected: Message
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A prompt with one answer, and whether that is a good one."""

    prompt: tuple[Message, ...]
    answer: Message
    is_good: bool
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Task:
    """A prompt that the model answers itself; `expected` are the calls of a right answer, `row` what the file says."""

    prompt: tuple[Message, ...]
    expected: tuple[dict[str, Any], ...]
    row: Mapping[str, Any]
    tools: tuple[dict[str, Any], ...] = ()


def pair_of(raw: object, place: str) -> Pair:
    """The pair that a file holds at `place`, which errors name. Raises FieldInvalid."""
    row = _table(raw, place, ("chosen", "rejected"))
    opening = prompt_of(row, place)
    chosen, rejected = (_turns(row[name], f"{place}, {name}") for name in ("chosen", "rejected"))
    both = 0
    while both < min(len(chosen), len(rejected)) - 1 and chosen[both] == rejected[both]:
        both += 1
    before, chosen, rejected = chosen[:both], chosen[both:], rejected[both:]
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if len(turns) != 1 or turns[0]["role"] != "assistant":
            raise wrong(
                place, f"{name} must differ from the other by its last answer alone. What comes before goes into prompt"
            )
    if chosen == rejected:
        raise wrong(place, "chosen and rejected are the same, so there is nothing to prefer")
    return Pair(
        prompt=_joined(opening, before, place), chosen=chosen[0], rejected=rejected[0],
        tools=tools_of(row.get("tools"), place),
    )  # fmt: skip


def judged_of(raw: object, place: str) -> Judged:
    """The judged answer that a file holds at `place`. Raises FieldInvalid."""
    row = _table(raw, place, ("completion", "label"))
    opening = prompt_of(row, place)
    turns = _turns(row["completion"], f"{place}, completion")
    if turns[-1]["role"] != "assistant":
        raise wrong(place, "its completion does not end with an answer of the assistant")
    verdict = row["label"] if isinstance(row["label"], bool) else _VERDICTS.get(str(row["label"]).strip().lower())
    if verdict is None:
        raise wrong(place, f"its label is {shown(row['label'])}; true is for a good answer, false for a bad one")
    return Judged(
        prompt=_joined(opening, turns[:-1], place), answer=turns[-1], is_good=verdict,
        tools=tools_of(row.get("tools"), place),
    )  # fmt: skip


def task_of(raw: object, place: str) -> Task:
    """The task that a file holds at `place`: a `prompt`, or `messages`, whose last answer is the right one."""
    row = _table(raw, place, ())
    turns = messages_of(row["messages"], place, has_answer=False) if has(row, "messages") else prompt_of(row, place)
    calls: object = row.get("tool_calls") or []
    if turns and turns[-1]["role"] == "assistant":
        turns, calls = turns[:-1], turns[-1].get("tool_calls", calls)
    if calls:
        (answer,) = messages_of([{"role": "assistant", "tool_calls": calls}], f"{place}, tool_calls")
        calls = answer["tool_calls"]
    return Task(
        prompt=_joined(turns, (), place), expected=tuple(cast("list[dict[str, Any]]", calls)), row=row,
        tools=tools_of(row.get("tools"), place),
    )  # fmt: skip


def prompt_of(row: Mapping[str, Any], place: str) -> tuple[Message, ...]:
    """What a row says under `prompt`, behind its `system`; nothing where it has neither. Raises FieldInvalid."""
    opening = [{"role": "system", "content": text_of(row, "system", place)}] if has(row, "system") else []
    if not has(row, "prompt"):
        return messages_of(opening, place, has_answer=False)
    if isinstance(row["prompt"], str) and not row["prompt"].lstrip().startswith("[{"):
        return messages_of([*opening, {"role": "user", "content": row["prompt"]}], place, has_answer=False)
    return (
        *messages_of(opening, place, has_answer=False),
        *messages_of(row["prompt"], f"{place}, prompt", has_answer=False),
    )


def _table(raw: object, place: str, needed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise wrong(place, f"it is {type(raw).__name__}, not a table of prompt, {' and '.join(needed)}")
    row = cast("dict[str, Any]", raw)
    lacks = [name for name in needed if not has(row, name)]
    if lacks:
        raise wrong(place, f"it has no {' and no '.join(lacks)}; its fields are {', '.join(map(str, row)) or 'none'}")
    return row


def _turns(raw: object, place: str) -> tuple[Message, ...]:
    """An answer as messages: text is one of the assistant's."""
    if isinstance(raw, str) and not raw.lstrip().startswith("[{"):
        return messages_of([{"role": "assistant", "content": raw}], place)
    alone: list[object] = [raw]
    return messages_of(alone if isinstance(raw, dict) else raw, place)


def _joined(opening: tuple[Message, ...], before: tuple[Message, ...], place: str) -> tuple[Message, ...]:
    """The prompt, once: many files repeat it in the answers."""
    found = before if before[: len(opening)] == opening else (*opening, *before)
    if not found or found[-1]["role"] not in ("user", "tool"):
        raise wrong(place, "its prompt does not end with a message of the user or of a tool")
    return found
