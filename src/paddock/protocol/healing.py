"""Owns turning tool calls that a model wrote as text into calls, in a stream or a whole answer. Pure.

Covered: `<tool_call>{"name": …, "arguments": …}</tool_call>` and `<function=name><parameter=key>value</parameter>
</function>`, the latter within tool_call tags or not; the end tag may be missing where the answer ends. The markup must
begin a line, outside a fenced block, and name a tool of the request; an end tag that is left over after a call goes.
Not covered: markup within a sentence, other forms.
"""

from __future__ import annotations

import json
import re
from typing import Any

from paddock.protocol.shape import as_object, objects_in

_ENDS = {"<tool_call>": "</tool_call>", "<function=": "</function>"}
_ORPHAN = "</tool_call>"
# A frame without any of these begins neither a call nor a fence nor a line.
_MARKS = (b"<", b"`", b"\\n", b'"tool_calls"')
_FENCE = "```"
_HOLD_CHARACTERS = 2**20
_BOUNDARY = re.compile(rb"(?<=\n\n)")
_REASON = re.compile(rb'("finish_reason"\s*:\s*)"stop"')
_CUT = re.compile(rb'"finish_reason"\s*:\s*"length"')
_FUNCTION = re.compile(r"<function=([^>\s]+)\s*>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter=([^>\s]+)\s*>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|(?=</function>)|\Z)", re.DOTALL
)
_JSON = re.compile(r"<tool_call>\s*{")
# A quotation mark that begins or ends a text of JSON.
_QUOTE = re.compile(r'\\.|(")', re.DOTALL)
Call = tuple[str, str]


def schemas_of(tools: Any) -> dict[str, dict[str, Any]]:
    """The schema of each declared tool, by name."""
    functions = [as_object(tool.get("function")) or {} for tool in objects_in(tools)]
    return {str(one.get("name")): as_object(one.get("parameters")) or {} for one in functions}


def call_in(markup: str, schemas: dict[str, dict[str, Any]]) -> Call | None:
    """(name, arguments as JSON text) of one call's markup; None where it is none, or of a tool nobody declared."""
    inner = markup.removeprefix("<tool_call>").strip().removesuffix("</tool_call>").strip()
    if inner.startswith("<function="):
        found = _FUNCTION.match(inner)
        if found is None or found[1] not in schemas:
            return None
        properties = as_object(schemas[found[1]].get("properties")) or {}
        given = {m[1]: _typed(m[2], as_object(properties.get(m[1]))) for m in _PARAMETER.finditer(found[2])}
        return found[1], json.dumps(given, ensure_ascii=False)
    try:
        read = as_object(json.loads(inner))
    except (ValueError, RecursionError):
        return None
    if read is None or read.get("name") not in schemas:
        return None
    arguments: Any = read.get("arguments", read.get("parameters", {}))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return str(read["name"]), text


def _typed(text: str, schema: dict[str, Any] | None) -> Any:
    """A parameter's text as its schema wants it."""
    kind = (schema or {}).get("type")
    if kind == "string" or (kind is None and schema):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def healed_body(body: bytes, tools: Any) -> tuple[bytes, list[str]]:
    """A whole chat answer with its leaked calls as calls, and the names of those; the bytes themselves if none."""
    if b"<" not in body:
        return body, []
    try:
        answer: dict[str, Any] = json.loads(body)
        choice = answer["choices"][0]
        message, text = choice["message"], choice["message"].get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return body, []
    if not isinstance(text, str) or choice.get("finish_reason") != "stop":
        return body, []
    lines = _Lines(schemas_of(tools))
    kept = lines.feed(text) + lines.finish()
    if not lines.calls:
        return body, []
    made = [
        {"id": _id(answer, place), "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (name, arguments) in enumerate(lines.calls)
    ]
    message["content"] = kept.strip() or None
    message["tool_calls"] = [*(message.get("tool_calls") or []), *made]
    choice["finish_reason"] = "tool_calls"
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"), [name for name, _ in lines.calls]


def cut_markup_removed(body: bytes, tools: Any) -> bytes:
    """A whole chat answer that the limit cut within a call's markup, without that piece: streamed, it is not said."""
    if b"<" not in body or not _CUT.search(body):
        return body
    try:
        answer: dict[str, Any] = json.loads(body)
        choice = answer["choices"][0]
        text = choice["message"].get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return body
    if not isinstance(text, str) or choice.get("finish_reason") != "length":
        return body
    lines = _Lines(schemas_of(tools))
    kept = lines.feed(text)
    if lines.calls or not lines.held:
        return body
    choice["message"]["content"] = kept
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


class _Lines:
    """Reads a text piece by piece and takes the calls out of it. `held` is what may still become one."""

    def __init__(self, schemas: dict[str, dict[str, Any]]) -> None:
        self.calls: list[Call] = []
        self.held = ""
        self.is_after_call = False
        self._schemas = schemas
        self._line = ""
        self._is_fenced = False
        self._searched = self._counted = self._quotes = 0
        self._is_bare = False

    def feed(self, text: str) -> str:
        """What of the text is no call, as far as that is known."""
        out: list[str] = []
        while text or self.held:
            if self._is_bare and not self.held:
                # What only kept a call apart from what follows it says nothing without the call.
                text = text.lstrip()
                self._is_bare = not text
                continue
            if self.held:
                passed, text, goes_on = self._held(text)
            else:
                passed, text, goes_on = self._walk(text)
            out.append(passed)
            if not goes_on:
                break
        return "".join(out)

    def finish(self) -> str:
        """At the answer's end: a call whose end tag is missing is one if it is whole otherwise."""
        held, self.held = self.held, ""
        if held and (call := call_in(held, self._schemas)):
            self.calls.append(call)
            return ""
        return held

    def _walk(self, text: str) -> tuple[str, str, bool]:
        """Pass text up to where a call may begin; that and the rest are held from there."""
        start = 0
        while start < len(text):
            end = text.find("\n", start)
            piece = text[start:] if end < 0 else text[start:end]
            head = (self._line + piece).lstrip()[:16]
            if not self._is_fenced and head and not self._line.strip() and self._may_begin(head):
                blanks = len(piece) - len(piece.lstrip())
                self._searched = self._counted = self._quotes = 0
                self.held = text[start + blanks :]
                return text[: start + blanks], "", True
            if end < 0:
                self._line = (self._line + piece)[:64]
                break
            self._end_line(piece)
            start = end + 1
        return text, "", False

    def _held(self, text: str) -> tuple[str, str, bool]:
        """Look again at what is held, with the text that came."""
        self.held += text
        if self.is_after_call and self.held.startswith(_ORPHAN):
            rest, self.held = self.held.removeprefix(_ORPHAN), ""
            return "", rest, True
        if self.is_after_call and _ORPHAN.startswith(self.held):
            return "", "", False
        mark = next((mark for mark in _ENDS if self.held.startswith(mark)), None)
        if mark is None and any(mark.startswith(self.held) for mark in _ENDS):
            return "", "", False
        if mark is not None and len(self.held) <= _HOLD_CHARACTERS:
            end = self._end(_ENDS[mark])
            if end < 0:
                return "", "", False
            if call := call_in(self.held[:end], self._schemas):
                rest, self.held = self.held[end:], ""
                self.calls.append(call)
                self.is_after_call = self._is_bare = True
                return "", rest, True
        # Not a call after all: its first line is passed, the rest is looked at anew.
        held, self.held = self.held, ""
        line, newline, rest = held.partition("\n")
        self._line = (self._line + line)[:64]
        if newline:
            self._end_line("")
        return line + newline, rest, bool(rest)

    def _end(self, tag: str) -> int:
        """Where the held call's markup ends; -1 while that is not known. A tag in a text of its JSON ends nothing."""
        while (found := self.held.find(tag, max(self._counted, self._searched - len(tag)))) >= 0:
            if _JSON.match(self.held):
                self._quotes += sum(map(bool, _QUOTE.findall(self.held, self._counted, found)))
            self._counted = found
            if self._quotes % 2 == 0:
                return found + len(tag)
            self._searched = self._counted = found + len(tag)
        self._searched = len(self.held)
        return -1

    def _may_begin(self, head: str) -> bool:
        marks = (*_ENDS, _ORPHAN) if self.is_after_call else _ENDS
        return any(mark.startswith(head) or head.startswith(mark) for mark in marks)

    def _end_line(self, piece: str) -> None:
        if (self._line + piece).lstrip().startswith(_FENCE):
            self._is_fenced = not self._is_fenced
        self._line = ""


class Healer:
    """Passes a stream of whole frames on, with leaked calls as calls; frames that hold none stay as they are.

    Args:
        tools: those of the request.
    """

    def __init__(self, tools: Any) -> None:
        self._lines = _Lines(schemas_of(tools))
        self._frames: list[bytes] = []
        self._calls_before = 0
        self.healed: list[str] = []

    def feed(self, data: bytes) -> bytes:
        """What may go on now. Frames are held while what they say may become a call."""
        if not self._frames and not self.healed and not any(mark in data for mark in _MARKS):
            # Nothing here begins a call, a fence or a line; only that the line goes on has to be known.
            if b'"content":"' in data:
                self._lines.feed("x")
            return data
        return b"".join(self._frame(frame) for frame in _BOUNDARY.split(data) if frame)

    def finish(self) -> bytes:
        """What is still held when the stream ends without a last word: it goes as it came."""
        held, self._frames = self._frames, []
        return b"".join(held)

    def _frame(self, frame: bytes) -> bytes:
        chunk = _chunk_of(frame)
        choice = (objects_in((chunk or {}).get("choices")) or [dict[str, Any]()])[0]
        if chunk is None or not choice or choice.get("index", 0) != 0:
            return frame
        delta = as_object(choice.get("delta")) or {}
        text = delta.get("content")
        for call in objects_in(delta.get("tool_calls")):
            self._lines.is_after_call = True
            self._calls_before = max(self._calls_before, int(call.get("index") or 0) + 1)
        if choice.get("finish_reason"):
            return self._ended(frame, chunk, text)
        if not isinstance(text, str) or not text:
            return frame if not self._frames else self._hold(frame)
        return self._said(frame, chunk, text)

    def _said(self, frame: bytes, chunk: dict[str, Any], text: str) -> bytes:
        before, known = self._lines.held, len(self._lines.calls)
        passed = self._lines.feed(text)
        if len(self._lines.calls) > known:
            self._frames = []
            return self._told(chunk, passed, known)
        if self._lines.held:
            if passed and not before:
                # The part before goes at once; what is held is put in a frame of its own.
                self._frames = [_framed(chunk, {"content": self._lines.held})]
                return _framed(chunk, {"content": passed})
            return self._hold(frame)
        held, self._frames = self._frames, []
        if passed == before + text:
            return b"".join([*held, frame])
        return _framed(chunk, {"content": passed}) if passed else b""

    def _hold(self, frame: bytes) -> bytes:
        self._frames.append(frame)
        return b""

    def _ended(self, frame: bytes, chunk: dict[str, Any], text: Any) -> bytes:
        known = len(self._lines.calls)
        self._lines.finish()
        held, self._frames = self._frames, []
        reason = (objects_in(chunk["choices"])[0]).get("finish_reason")
        out = b"".join(held)
        if len(self._lines.calls) > known and reason == "stop":
            out = self._told(chunk, "", known)
        return out + (_REASON.sub(rb'\1"tool_calls"', frame) if self.healed else frame)

    def _told(self, chunk: dict[str, Any], text: str, known: int) -> bytes:
        """The frames of the calls that were found, and of the text around them."""
        out = _framed(chunk, {"content": text}) if text.strip() else b""
        for place, (name, arguments) in enumerate(self._lines.calls[known:], start=known):
            self.healed.append(name)
            function = {"name": name, "arguments": arguments}
            call = {
                "index": self._calls_before + place,
                "id": _id(chunk, place),
                "type": "function",
                "function": function,
            }
            out += _framed(chunk, {"tool_calls": [call]})
        if self._lines.held:
            self._frames = [_framed(chunk, {"content": self._lines.held})]
        return out


def _chunk_of(frame: bytes) -> dict[str, Any] | None:
    text = frame.strip()
    if not text.startswith(b"data:"):
        return None
    try:
        return as_object(json.loads(text[5:]))
    except ValueError:
        return None


def _framed(chunk: dict[str, Any], delta: dict[str, Any]) -> bytes:
    """A frame like the chunk's own that says something else."""
    made = {**chunk, "choices": [{"finish_reason": None, "index": 0, "delta": delta}]}
    made.pop("timings", None)
    return b"data: " + json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"


def _id(chunk: dict[str, Any], place: int) -> str:
    """A call's id: the same for the same answer."""
    return f"call_{str(chunk.get('id') or 'healed').rsplit('-', 1)[-1][:24]}{place}"
