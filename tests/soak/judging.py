"""Owns what counts as the end of a request in each dialect: an answer, or an error, in that dialect's shape.

Does not cover whether the words of an answer are right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.shapes import chat, messages, responses
from tests.shapes.responses import must, read_events

Json = dict[str, Any]
PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "ollama": "/api/chat",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request: its dialect, its model, and whether its answer is to be streamed."""

    dialect: str
    model: str
    stream: bool
    tokens: int
    words: str

    @property
    def path(self) -> str:
        """The route that it goes to."""
        return PATHS[self.dialect]

    @property
    def body(self) -> Json:
        """What is posted."""
        turn = {"role": "user", "content": self.words}
        common: Json = {"model": self.model, "stream": self.stream}
        if self.dialect == "responses":
            return {**common, "input": self.words, "max_output_tokens": max(16, self.tokens)}
        if self.dialect == "ollama":
            return {**common, "messages": [turn], "options": {"num_predict": self.tokens}}
        return {**common, "messages": [turn], "max_tokens": self.tokens}


def outcome(asked: Asked, status: int, body: bytes) -> str:
    """How a request ended, in a word or two. Raises ShapeBroken, ValueError or KeyError for no such end."""
    if status != 200:
        _check_error(asked.dialect, json.loads(body))
        return str(status)
    if asked.stream:
        return "200" if _STREAMS[asked.dialect](body) else "200, error in the stream"
    whole: Json = json.loads(body)
    if asked.dialect == "ollama":
        must(whole["done"] is True and isinstance(whole["message"]["content"], str), f"no whole answer: {whole}")
    else:
        {"chat": chat.check_completion, "messages": messages.check_message, "responses": responses.check_response}[
            asked.dialect
        ](whole)
    return "200"


def _check_error(dialect: str, body: Json) -> None:
    if dialect == "messages":
        messages.check_error(body)
    elif dialect == "ollama":
        must(isinstance(body["error"], str) and body["error"] != "", f"not in Ollama's shape: {body}")
    else:
        error: Json = body["error"]
        must(set(error) == {"message", "type", "param", "code"}, f"not in OpenAI's shape: {body}")
        must(bool(error["message"]) and bool(error["type"]), f"the error says nothing: {body}")


def _chat_is_whole(data: bytes) -> bool:
    last = data.rstrip(b"\n").rsplit(b"\n\n", 1)[-1]
    if last.startswith(b'data: {"error"'):
        error: Json = json.loads(last[6:])["error"]
        must(bool(error["message"]) and bool(error["type"]), f"the error says nothing: {error}")
        return False
    chat.check_chunks(chat.read_chunks(data))
    return True


def _messages_is_whole(data: bytes) -> bool:
    events = read_events(data)
    must(bool(events), "a stream has events")
    if events[-1]["type"] == "error":
        messages.check_error(events[-1])
        return False
    messages.check_stream(events)
    return True


def _responses_is_whole(data: bytes) -> bool:
    events = read_events(data)
    must(bool(events), "a stream has events")
    last: Json = events[-1]
    if last["type"] == "error":
        must(bool(last["message"]), f"the error says nothing: {last}")
        return False
    if last["type"] == "response.failed":
        must(bool(last["response"]["error"]["message"]), f"the error says nothing: {last}")
        return False
    responses.check_stream(events)
    return True


def _ollama_is_whole(data: bytes) -> bool:
    lines: list[Json] = [json.loads(line) for line in data.split(b"\n") if line]
    must(bool(lines), "a stream has lines")
    if "error" in lines[-1]:
        must(isinstance(lines[-1]["error"], str) and lines[-1]["error"] != "", f"the error says nothing: {lines[-1]}")
        return False
    must(lines[-1]["done"] is True, f"the stream has no end: {lines[-1]}")
    return True


_STREAMS = {
    "chat": _chat_is_whole,
    "messages": _messages_is_whole,
    "responses": _responses_is_whole,
    "ollama": _ollama_is_whole,
}
