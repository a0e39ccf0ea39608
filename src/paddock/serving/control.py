"""Owns breaking control texts in what a request says, so that they are text for the model; knows no vocabulary.

An engine puts messages and template together and reads the whole as tokens, so that a file or a web page with
`<|im_end|>` in it would end the turn it stands in and could begin another in the system's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from paddock.protocol.shape import as_array, as_object
from paddock.serving.prepare import Prepared

# Stands after the first character of a control text. It has no width, and no tokenizer's control text holds it.
BREAK = "\u200b"
_TOLD_MOST = 4


def harmless(prepared: Prepared, texts: Sequence[str]) -> Prepared:
    """The request with these control texts broken in its messages and the descriptions of its tools.

    The request itself where it holds none of them; else what was broken is told in `x-paddock-adapted`.
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
        kwargs = as_object(body.get("chat_template_kwargs"))
        if kwargs and "tools" in kwargs:
            sent["chat_template_kwargs"] = {**kwargs, "tools": self._described(kwargs["tools"])}
        return sent

    def _message(self, message: Any) -> Any:
        read = as_object(message)
        if read is None:
            return message
        sent = dict(read)
        for name in ("content", "reasoning_content"):
            if name in sent:
                sent[name] = self._content(sent[name])
        if calls := as_array(read.get("tool_calls")):
            sent["tool_calls"] = [self._call(call) for call in calls]
        return sent

    def _content(self, content: Any) -> Any:
        if isinstance(content, str):
            return self._text(content)
        parts = as_array(content)
        return content if parts is None else [self._part(part) for part in parts]

    def _part(self, part: Any) -> Any:
        read = as_object(part)
        return part if read is None or "text" not in read else {**read, "text": self._text(read["text"])}

    def _call(self, call: Any) -> Any:
        function = as_object((as_object(call) or {}).get("function"))
        if function is None or "arguments" not in function:
            return call
        return {**call, "function": {**function, "arguments": self._text(function["arguments"])}}

    def _described(self, value: Any) -> Any:
        """Tools with their descriptions broken. Values that decoding is held to stay as they are."""
        if (read := as_object(value)) is not None:
            return {
                name: self._text(inner) if name == "description" and isinstance(inner, str) else self._described(inner)
                for name, inner in read.items()
            }
        listed = as_array(value)
        return value if listed is None else [self._described(inner) for inner in listed]

    def _text(self, text: Any) -> Any:
        return self._pattern.sub(self._broken, text) if isinstance(text, str) else text

    def _broken(self, found: re.Match[str]) -> str:
        self.found[found[0]] = None
        return f"{found[0][0]}{BREAK}{found[0][1:]}"
