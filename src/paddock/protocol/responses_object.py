"""Owns the response object and the items it holds; refuses to know events and where an answer comes from. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from paddock.protocol.chat import is_cut
from paddock.protocol.responses_timings import Stopwatch
from paddock.protocol.responses_tools import Origin
from paddock.protocol.shape import as_object, objects_in

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
Kind = Literal["message", "reasoning", "call", "tool"]
_PREFIXES: dict[Kind, str] = {"message": "msg", "reasoning": "rs", "call": "fc", "tool": "mcp"}
# What the answer says of its request, and what it says where the request was silent.
_ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {},
    "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None, "safety_identifier": None,
    "store": True, "temperature": 1.0, "tool_choice": "auto", "top_logprobs": 0, "top_p": 1.0, "user": None,
    "background": False, "presence_penalty": 0.0, "frequency_penalty": 0.0,
}  # fmt: skip
# Codes that clients know. A failure with another one is the server's: those they repeat, and show the sentence of.
_CODES = {
    "context_length_exceeded": "context_length_exceeded", "rate_limit_exceeded": "rate_limit_exceeded",
    "invalid_prompt": "invalid_prompt", "model_not_found": "invalid_prompt",
}  # fmt: skip
_BEGINNING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_READABLE = re.compile(r'(?:[^"\\]+|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*')
_HALF_OF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


class InputText:
    """Reads the plain text of a custom tool's call out of its JSON arguments, as they come."""

    def __init__(self) -> None:
        self._held = ""
        self._state: Literal["before", "within", "after"] = "before"

    def feed(self, piece: str) -> str:
        """What of the text can be read by now and was not given before."""
        if self._state == "after":
            return ""
        self._held += piece
        if self._state == "before":
            began = _BEGINNING.match(self._held)
            if began is None:
                return ""
            self._state, self._held = "within", self._held[began.end() :]
        found = _READABLE.match(self._held)
        end = found.end() if found else 0
        if self._held[end : end + 1] == '"':
            self._state = "after"
        elif half := _HALF_OF_PAIR.search(self._held, max(0, end - 6), end):
            # The other half may be in the next piece.
            end = half.start()
        text, self._held = self._held[:end], self._held[end:]
        return _sound(json.loads(f'"{text}"', strict=False)) if text else ""


def _input_of(arguments: str) -> str:
    """The whole plain text of a custom call; what does not have the form of its arguments is given as it is."""
    if _BEGINNING.match(arguments):
        return InputText().feed(arguments)
    if arguments == "" or is_cut(arguments):
        return arguments
    given: Any = (as_object(json.loads(arguments)) or {}).get("input", "")
    return _sound(given) if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _sound(text: str) -> str:
    """The text with a question mark for each half of a pair, which clients cannot read."""
    return text.encode("utf-8", "replace").decode()


@dataclass(kw_only=True)
class Item:
    """One item of the output. Its `pieces` add up to its text: words, or the JSON of a call's arguments.

    `index` is its place in the output, -1 until it has one; `status` is that of the item.
    """

    kind: Kind
    call_id: str = ""
    origin: Origin = field(default_factory=lambda: Origin(kind="function", name=""))
    pieces: list[str] = field(default_factory=list[str])
    logprobs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    index: int = -1
    id: str = ""
    status: Literal["in_progress", "completed", "incomplete"] = "in_progress"
    began_s: float | None = None
    duration_s: float | None = None
    event_of_tool: dict[str, Any] = field(default_factory=dict[str, Any])
    """What was last told of a tool that the server runs, whose item this is."""

    @property
    def text(self) -> str:
        """All that came so far."""
        return "".join(self.pieces)

    @property
    def is_custom(self) -> bool:
        """Whether the item is a call of a custom tool, whose input is plain text."""
        return self.kind == "call" and self.origin.kind == "custom"

    @property
    def is_cut(self) -> bool:
        """Whether the item is a call whose arguments ended before they were JSON."""
        return self.kind == "call" and is_cut(self.text)

    def note_end(self, watch: Stopwatch | None) -> None:
        """Note how long thoughts took, which are over now."""
        if watch and self.kind == "reasoning" and self.began_s is not None and self.duration_s is None:
            self.duration_s = round(watch.now() - self.began_s, 3)

    def part(self, text: str) -> dict[str, Any] | None:
        """The content part that holds a text; None for a call, which has none."""
        if self.kind == "message":
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": self.logprobs if text else []}
        return {"type": "reasoning_text", "text": text} if self.kind == "reasoning" else None

    def begun(self) -> dict[str, Any]:
        """The item while nothing of it is known."""
        return self._item("", [])

    def whole(self) -> dict[str, Any]:
        """The item as it is now."""
        text = self.text
        return self._item(_input_of(text) if self.is_custom else text, [self.part(text)])

    def _item(self, said: str, content: list[Any]) -> dict[str, Any]:
        if self.kind == "message":
            fields: dict[str, Any] = {"type": "message", "role": "assistant", "content": content}
        elif self.kind == "reasoning":
            fields = {"type": "reasoning", "summary": [], "content": content}
            if self.duration_s is not None:
                fields["duration_s"] = self.duration_s
        elif self.kind == "tool":
            return {"id": self.id, **self._tool()}
        else:
            named = {"namespace": self.origin.namespace} if self.origin.namespace else {}
            fields = {"type": "function_call", "call_id": self.call_id, "name": self.origin.name, **named}
            fields["input" if self.is_custom else "arguments"] = said
            if self.is_custom:
                fields["type"] = "custom_tool_call"
        return {"id": self.id, "status": self.status, **fields}

    def _tool(self) -> dict[str, Any]:
        """A call that the server carries out itself, in the dialect's form for tools that are called for a client."""
        told = self.event_of_tool
        has_failed = told["state"] == "failed"
        fields: dict[str, Any] = {
            "type": "mcp_call",
            "status": "failed" if has_failed else self.status,
            "server_label": "paddock",
            "name": told["name"],
            "arguments": told["arguments"],
            "approval_request_id": None,
            "output": None if has_failed else told.get("output"),
            "error": told["output"] if has_failed else None,
        }
        return {**fields, **{name: told[name] for name in ("duration_s", "files") if name in told}}

    @property
    def event(self) -> str:
        """What its deltas and their end are called, without `.delta` and `.done`."""
        if self.kind == "message":
            return "response.output_text"
        if self.kind == "reasoning":
            return "response.reasoning_text"
        return "response.custom_tool_call_input" if self.is_custom else "response.function_call_arguments"

    def done_fields(self) -> dict[str, Any]:
        """What the event says that ends the item's text."""
        text = self.text
        if self.is_custom:
            return {"input": _input_of(text)}
        if self.kind == "call":
            return {"arguments": text, "name": self.origin.name}
        done: dict[str, Any] = {"content_index": 0, "text": text}
        return {**done, "logprobs": self.logprobs} if self.kind == "message" else done


@dataclass(kw_only=True)
class Snapshot:
    """The response as it is now.

    Args:
        response_id: its id, such as `resp_…`.
        created_s: when it was asked for, in whole seconds since 1970.
        model: the name that the client asked for.
        request: the client's body, of which the response repeats a part.
        watch: the clock of a streamed response, if it has one.
        cause: paddock's own code of a failure.
    """

    response_id: str
    created_s: int
    model: str
    request: dict[str, Any]
    status: Status = "in_progress"
    output: list[Item] = field(default_factory=list[Item])
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    incomplete: dict[str, Any] | None = None
    completed_s: int | None = None
    watch: Stopwatch | None = None
    cause: str = ""

    def add(self, item: Item) -> None:
        """Append an item to the output, which gives it its place and its id."""
        item.index = len(self.output)
        suffix = f"{self.response_id.rsplit('_', 1)[-1]}_{item.index}"
        item.id = f"{'ctc' if item.is_custom else _PREFIXES[item.kind]}_{suffix}"
        item.call_id = item.call_id or f"call_{suffix}"
        self.output.append(item)

    def end(self, *, is_unfinished: bool, is_filtered: bool, at_s: int | None = None) -> None:
        """The answer is over: complete, at that second since 1970, or cut short for a reason that is told."""
        self.status = "incomplete" if is_unfinished or is_filtered else "completed"
        if self.status == "incomplete":
            self.incomplete = {"reason": "content_filter" if is_filtered else "max_output_tokens"}
        elif at_s is not None:
            self.completed_s = max(at_s, self.created_s)

    def fail(self, code: str, message: str) -> None:
        """The answer broke off. A code that the dialect does not know becomes `server_error`."""
        self.status = "failed"
        self.cause = code
        self.error = {"code": _CODES.get(code, "server_error"), "message": message}

    def response(self) -> dict[str, Any]:
        """The whole object."""
        if self.status not in ("queued", "in_progress"):
            for item in self.output:
                if item.status == "in_progress":
                    item.status = "incomplete"
                    item.note_end(self.watch)
        request = self.request
        said = {name: request[name] for name in _ECHOED if request.get(name) is not None}
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created_s,
            "completed_at": self.completed_s,
            "status": self.status,
            "error": self.error,
            "incomplete_details": self.incomplete,
            "model": self.model,
            "output": [item.whole() for item in self.output],
            "usage": self.usage,
            **_ECHOED,
            **said,
            "reasoning": {"effort": None, "summary": None, **(as_object(request.get("reasoning")) or {})},
            "text": _with_format(as_object(request.get("text")) or {}),
            "tools": [_told(tool) for tool in objects_in(request.get("tools"))],
            # What is true here, whatever was asked for: see the notes of the request.
            "service_tier": "default",
            "truncation": "disabled",
            **({"timings": timings} if (timings := self.timings()) else {}),
        }

    def timings(self) -> dict[str, Any] | None:
        """How long it took, once it is over; None before that, and where nobody looked at a clock."""
        if self.watch is None or self.status in ("queued", "in_progress"):
            return None
        self.watch.stop()
        return self.watch.told(self.usage, [item.duration_s for item in self.output if item.duration_s is not None])


def _with_format(text: dict[str, Any]) -> dict[str, Any]:
    return {**text, "format": as_object(text.get("format")) or {"type": "text"}}


def _told(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as the dialect writes it."""
    nested = as_object(tool.get("function"))
    if tool.get("type") != "function":
        return tool
    return {"parameters": None, "strict": None, "type": "function", **(nested or tool)}
