"""Owns breaking control texts in what a request says, so that they are text for the model; knows no vocabulary.

An engine puts messages and template together and reads the whole as tokens, so that a file or a web page with
`<|im_end|>` in it would end the turn it stands in and could begin another in the system's name. What a model must be
able to say letter by letter, the names of tools and the values that decoding is held to, cannot be broken: with a
control text in it, it is refused.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

from paddock.errors import BadRequest, shown
from paddock.protocol.shape import as_array, as_object
from paddock.serving.prepare import Prepared

# Stands after the first character of a control text. It has no width, and no tokenizer's control text holds it.
BREAK = "\u200b"
_TOLD_MOST = 4
# What a schema says to its reader alone.
_SAID = ("description", "title", "$comment")
# What a ranking is asked with.
_RANKED = ("query", "documents", "texts")
# An escape of JSON, those of UTF-16 as many as follow one another, so that pairs stay together.
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|.)", re.DOTALL)


def harmless(prepared: Prepared, texts: Sequence[str]) -> Prepared:
    """The request with these control texts broken in its messages, what it ranks, and the descriptions of its tools.

    The request itself where it holds none of them; else what was broken is told in `x-paddock-adapted`.

    Raises:
        BadRequest: a name or a value of a tool that the model would have to say holds one.
    """
    if not texts:
        return prepared
    breaker = _Breaker(tuple(texts))
    body = breaker.request(prepared.body)
    if not breaker.found:
        return prepared
    told = ", ".join(list(breaker.found)[:_TOLD_MOST]) + (", …" if len(breaker.found) > _TOLD_MOST else "")
    return replace(prepared, body=body, adapted=(*prepared.adapted, f"control text made plain: {told}"))


@lru_cache(maxsize=32)
def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in texts))


class _Breaker:
    """Goes through one request. Values that hold no control text are kept as they are, the same objects."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.found: dict[str, None] = {}
        self._pattern = _pattern(texts)

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        sent = dict(body)
        if messages := as_array(body.get("messages")):
            sent["messages"] = [self._message(message) for message in messages]
        if tools := as_array(body.get("tools")):
            sent["tools"] = self._described(tools)
        sent |= {name: self._within(body[name]) for name in _RANKED if name in body}
        if kwargs := as_object(body.get("chat_template_kwargs")):
            sent["chat_template_kwargs"] = {
                name: self._described(value) if name == "tools" else self._within(value)
                for name, value in kwargs.items()
            }
        return sent

    def _message(self, message: Any) -> Any:
        read = as_object(message)
        if read is None:
            return message
        sent = dict(read)
        for name in ("content", "reasoning_content"):
            if name in sent:
                sent[name] = self._content(sent[name])
        if read.get("role") == "tool" and "content" in sent:
            sent["content"] = self._json(sent["content"])
        for name in ("name", "tool_call_id"):
            if name in sent:
                sent[name] = self._text(sent[name])
        if calls := as_array(read.get("tool_calls")):
            sent["tool_calls"] = [self._call(call) for call in calls]
        return sent

    def _content(self, content: Any) -> Any:
        if isinstance(content, str):
            return self._text(content)
        parts = as_array(content)
        return content if parts is None else self._parts(parts)

    def _parts(self, parts: list[Any]) -> list[Any]:
        """Parts, each broken, and where two of them would make a control text together: templates put them in a row."""
        read = [as_object(part) or {} for part in parts]
        places = [place for place, part in enumerate(read) if isinstance(part.get("text"), str)]
        texts = [self._text(read[place]["text"]) for place in places]
        whole = "".join(texts)
        starts = list(accumulate(map(len, texts), initial=0))[:-1]
        found, at = self._pattern.search(whole), 0
        while found:
            self.found[found[0]] = None
            # Each text is broken by now: one begins within what was found.
            inner = bisect_right(starts, found.start())
            texts[inner] = BREAK + texts[inner].removeprefix(BREAK)
            at = found.start() + 1
            found = self._pattern.search(whole, at)
        made = dict(zip(places, texts, strict=True))
        return [{**read[place], "text": made[place]} if place in made else part for place, part in enumerate(parts)]

    def _call(self, call: Any) -> Any:
        read = as_object(call)
        if read is None:
            return call
        sent = {**read, "id": self._text(read["id"])} if "id" in read else dict(read)
        if (function := as_object(read.get("function"))) is not None:
            named = {name: self._text(value) for name, value in function.items() if name == "name"}
            said = {name: self._json(value) for name, value in function.items() if name == "arguments"}
            sent["function"] = {**function, **named, **said}
        return sent

    def _json(self, value: Any) -> Any:
        """A value, or the text of one that a template may read as JSON, where what is escaped no longer is.

        It is not read as JSON here: what one reader takes for none, or for too deep, another may take.
        """
        if (read := as_object(value)) is not None:
            return {self._text(name): self._json(inner) for name, inner in read.items()}
        if (listed := as_array(value)) is not None:
            return [self._json(inner) for inner in listed]
        value = self._text(value)
        if not isinstance(value, str) or "\\" not in value:
            return value
        plain = _ESCAPE.sub(_unescaped, value)
        return self._text(plain) if self._pattern.search(plain) else value

    def _within(self, value: Any) -> Any:
        """Every text within a value, the names in it too."""
        if (read := as_object(value)) is not None:
            return {self._text(name): self._within(inner) for name, inner in read.items()}
        listed = as_array(value)
        return self._text(value) if listed is None else [self._within(inner) for inner in listed]

    def _described(self, value: Any) -> Any:
        """Tools with their descriptions broken. Names and values that decoding is held to hold no control text."""
        if (read := as_object(value)) is not None:
            return {
                self._held(name): self._text(inner)
                if name in _SAID and isinstance(inner, str)
                else self._described(inner)
                for name, inner in read.items()
            }
        listed = as_array(value)
        return self._held(value) if listed is None else [self._described(inner) for inner in listed]

    def _held(self, value: Any) -> Any:
        if isinstance(value, str) and (found := self._pattern.search(value)):
            raise BadRequest(
                f"The tools hold {shown(found[0])}, a control text of the model, in a name or a value that the model "
                "would have to say. Take it out, or put it into a description.",
                param="tools",
            )
        return value

    def _text(self, text: Any) -> Any:
        """A text in which no control text begins anywhere, within another neither."""
        if not isinstance(text, str) or not (found := self._pattern.search(text)):
            return text
        pieces: list[str] = []
        at = 0
        while found:
            self.found[found[0]] = None
            pieces += [text[at : found.start() + 1], BREAK]
            at = found.start() + 1
            found = self._pattern.search(text, at)
        return "".join([*pieces, text[at:]])


def _unescaped(found: re.Match[str]) -> str:
    """The characters that an escape of JSON stands for; itself where JSON needs it."""
    escape = found[0]
    if escape == "\\/":
        return "/"
    if not escape.startswith("\\u"):
        return escape
    characters: str = json.loads(f'"{escape}"')
    return "".join(json.dumps(one, ensure_ascii="\ud800" <= one <= "\udfff")[1:-1] for one in characters)
