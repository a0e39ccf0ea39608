"""Owns one turn of a model that uses the server's own tools: what goes on at once, what is held, what it said. Pure.

Of the chat stream's frames texts and thoughts go on. Calls, the reason of the end and the usage are held: whether they
are the answer's own is known when the turn is over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from paddock.protocol.chat import Frames, usage_of
from paddock.protocol.shape import as_array, as_object, objects_in

# What a frame says beside its choices, of which an answer has one for all of its turns.
_HEAD = ("id", "created", "model", "system_fingerprint")
DONE = b"data: [DONE]\n\n"


@dataclass(kw_only=True)
class Call:
    """One call of a turn. `arguments` is JSON text, as the model wrote it."""

    call_id: str
    name: str
    arguments: str = ""

    def whole(self) -> dict[str, Any]:
        """The call as a message holds it."""
        function = {"name": self.name, "arguments": self.arguments or "{}"}
        return {"id": self.call_id, "type": "function", "function": function}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a call: the text that the model reads, and files that it made, as they are told of."""

    text: str
    is_error: bool = False
    files: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Leave:
    """Whether a call may be carried out: `how` says by what, `refusal` is for the model where it may not."""

    how: str
    refusal: str = ""


@dataclass(kw_only=True)
class Turn:
    """One turn, as its stream comes.

    Args:
        head: what the answer's first turn said of it, which later ones repeat; empty for the first.
        gap: what is put before this turn's first text, where an earlier turn had one.
    """

    head: dict[str, Any] = field(default_factory=dict[str, Any])
    gap: str = ""
    content: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    calls: list[Call] = field(default_factory=list[Call])
    logprobs: list[Any] = field(default_factory=list[Any])
    reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict[str, Any])
    timings: dict[str, Any] = field(default_factory=dict[str, Any])
    error: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self._frames = Frames()
        self._places: dict[int, Call] = {}
        self._is_first = not self.head
        self._own_id: bytes = b""

    @property
    def text(self) -> str:
        """All that it said."""
        return "".join(self.content)

    def feed(self, data: bytes) -> bytes:
        """What of these bytes goes on now, in whole frames."""
        texts = None if self.gap else self._frames.texts(data)
        if texts is None:
            return b"".join([self._chunk(chunk) for chunk in self._frames.feed(data)])
        self.content += texts
        if self._is_first or not self._own_id:
            return data
        return data.replace(self._own_id, f'"id":{json.dumps(self.head.get("id"))}'.encode())

    def finish(self) -> bytes:
        """What is left at the stream's end."""
        return b"".join([self._chunk(chunk) for chunk in self._frames.finish()])

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if "error" in chunk:
            self.error = as_object(chunk["error"]) or {"message": str(chunk["error"])}
            return b""
        self.usage = as_object(chunk.get("usage")) or self.usage
        self.timings = as_object(chunk.get("timings")) or self.timings
        if self._is_first:
            self.head = {**{name: chunk[name] for name in _HEAD if name in chunk}, **self.head}
        elif not self._own_id and isinstance(chunk.get("id"), str):
            self._own_id = f'"id":{json.dumps(chunk["id"])}'.encode()
        rest = {name: value for name, value in chunk.items() if name not in ("usage", "timings")}
        choices = [kept for choice in objects_in(chunk.get("choices"))[:1] if (kept := self._choice(choice))]
        if not choices and "prompt_progress" not in chunk:
            return b""
        return _frame({**rest, **({} if self._is_first else self.head), "choices": choices})

    def _choice(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """What of a choice goes on; None where nothing does."""
        delta = dict(as_object(choice.get("delta")) or {})
        self.reason = choice.get("finish_reason") or self.reason
        if thought := delta.get("reasoning_content"):
            self.thoughts.append(str(thought))
        if text := delta.get("content"):
            self.content.append(str(text))
            delta["content"], self.gap = f"{self.gap}{text}", ""
        for call in objects_in(delta.pop("tool_calls", None)):
            self._call(call)
        self.logprobs += as_array((as_object(choice.get("logprobs")) or {}).get("content")) or []
        if not self._is_first:
            delta.pop("role", None)
        if not any(delta.values()):
            return None
        return {**choice, "delta": delta, "finish_reason": None}

    def _call(self, delta: dict[str, Any]) -> None:
        """One piece of a call; an engine may count anew with each round, or not at all."""
        function = as_object(delta.get("function")) or {}
        call_id, name = str(delta.get("id") or ""), str(function.get("name") or "")
        newest = max(self._places, default=-1)
        place = delta["index"] if isinstance(delta.get("index"), int) else max(newest, 0)
        held = self._places.get(place)
        if held is None or (name and call_id and held.call_id not in ("", call_id)):
            held = self._places[place] = Call(call_id=call_id, name=name)
            self.calls.append(held)
        else:
            held.call_id, held.name = held.call_id or call_id, held.name or name
        held.arguments += str(function.get("arguments") or "")

    def message(self, calls: Sequence[Call]) -> dict[str, Any]:
        """The turn as the conversation goes on with it."""
        thoughts = {"reasoning_content": "".join(self.thoughts)} if self.thoughts else {}
        listed = {"tool_calls": [call.whole() for call in calls]} if calls else {}
        return {"role": "assistant", "content": self.text or None, **thoughts, **listed}


def tool_frame(head: dict[str, Any], event: dict[str, Any]) -> bytes:
    """What a tool does, as a frame that says nothing to whoever does not know the field `paddock`."""
    choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": None}
    return _frame({"object": "chat.completion.chunk", **head, "choices": [choice], "paddock": {"tool": event}})


def tool_event(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """The event of such a frame; None of any other."""
    return as_object((as_object(chunk.get("paddock")) or {}).get("tool"))


def ending(turn: Turn, calls: Sequence[Call], totals: dict[str, Any], *, wants_usage: bool) -> bytes:
    """The frames that end an answer: the calls that are the client's, the reason, and what was used over all turns."""
    listed = {"tool_calls": [{"index": place, **call.whole()} for place, call in enumerate(calls)]} if calls else {}
    base = {"object": "chat.completion.chunk", **turn.head}
    frames = [_frame({**base, "choices": [{"index": 0, "delta": listed, "finish_reason": None}]})] if listed else []
    frames.append(_frame({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": _reason(turn, calls)}]}))
    if wants_usage:
        frames.append(_frame({**base, "choices": [], **totals}))
    return b"".join(frames) + DONE


def whole(turns: Sequence[Turn], told: Sequence[list[dict[str, Any]]], calls: Sequence[Call]) -> dict[str, Any]:
    """The answer of all turns as one chat completion; `told` are the ended tools of each turn, `calls` the client's."""
    last = turns[-1]
    texts = [turn.text for turn in turns if turn.text]
    thoughts = "\n\n".join("".join(turn.thoughts) for turn in turns if turn.thoughts)
    message: dict[str, Any] = {"role": "assistant", "content": _joined(texts) or None}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = [call.whole() for call in calls]
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": _reason(last, calls)}
    if logprobs := [one for turn in turns for one in turn.logprobs]:
        choice["logprobs"] = {"content": logprobs}
    shown = [
        {"reasoning_content": "".join(turn.thoughts), "content": turn.text, "tools": list(tools)}
        for turn, tools in zip(turns, told, strict=True)
    ]
    return {
        "object": "chat.completion", **last.head, "choices": [choice], **totals_of(turns), "paddock": {"turns": shown},
    }  # fmt: skip


def totals_of(turns: Sequence[Turn]) -> dict[str, Any]:
    """`usage` and `timings` of an answer: the sums over its turns. Turns that told none add nothing."""
    told = [usage_of(turn.usage) for turn in turns if turn.usage]
    prompt, completion, cached = (sum(one[place] for one in told) for place in range(3))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    timings = _timings([turn.timings for turn in turns if turn.timings])
    return {"usage": usage, **({"timings": timings} if timings else {})}


def _timings(all_of: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and times are added; what is a rate is reckoned anew."""
    sums: dict[str, float] = {}
    for timings in all_of:
        for name, value in timings.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and "per_" not in name:
                sums[name] = sums.get(name, 0) + value
    for kind in ("prompt", "predicted"):
        count, time_ms = sums.get(f"{kind}_n", 0), sums.get(f"{kind}_ms", 0)
        if count and time_ms:
            sums[f"{kind}_per_second"] = count / time_ms * 1000
            sums[f"{kind}_per_token_ms"] = time_ms / count
    return dict(sums)


def gap_after(turns: Iterable[Turn]) -> str:
    """What keeps the next turn's words from running into the earlier ones', where a dialect has one text for all."""
    return _gap("".join(turn.text for turn in turns))


def _joined(texts: Sequence[str]) -> str:
    out = ""
    for text in texts:
        out += _gap(out) + text
    return out


def _gap(said: str) -> str:
    """What makes a blank line after a text; nothing where none was."""
    if not said:
        return ""
    return "\n" * max(0, 2 - (len(said) - len(said.rstrip("\n"))))


def _reason(turn: Turn, calls: Sequence[Call]) -> str:
    if calls:
        return "tool_calls"
    return "stop" if turn.reason in (None, "tool_calls") else str(turn.reason)


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
