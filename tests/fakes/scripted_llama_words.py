"""Owns what the scripted llama-server says: the shapes of the real one, few words, faults by its behaviour.

No sockets, no model; it imports nothing of paddock. A token is a word, a sign, or a control text.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

Json = dict[str, Any]
CHAT = "/v1/chat/completions"
STREAMED = (CHAT, "/v1/completions", "/completion")
ENDLESS = 100_000
_TOKEN = re.compile(r"<\|im_(?:start|end)\|>|\w+|[^\w\s]")
_TEXT = re.compile(r"\w+|[^\w\s]")
_CONTROL = {"<|im_start|>": 1, "<|im_end|>": 2}


class Behaviour(TypedDict, total=False):
    """How it differs from a good one: flags it lacks, what it says, how quick it claims to be, and how it fails.

    `crashes_with` and `hangs_with` are names of models with which it ends, or never answers. With `counts_to` it says
    the numbers below that, from where a turn that was begun ends: what is lost or said twice is seen.
    """

    lacks: list[str]
    version: str
    devices: list[str]
    exit_status: int
    words: str
    answers_empty: bool
    says: str
    counts_to: int
    pieces_per_s: float
    calls_nothing: bool
    streams_no_calls: bool
    tells_no_usage: bool
    lets_anyone_in: bool
    ignores_schemas: bool
    tells_no_speed: bool
    reading_per_s: float
    generation_per_s: float
    crashes_with: str
    hangs_with: str


class Refused(Exception):
    """A refusal with its status, in the engine's own shape."""

    def __init__(self, status: int, kind: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": status, "type": kind, "message": message, **more}}


@dataclass(kw_only=True)
class Words:
    """One engine. `last` are the tokens of the prompt before, of which a further one may begin the same."""

    behaviour: Behaviour
    slots: int
    context_tokens: int
    last: list[int] = field(default_factory=list[int])

    def props(self) -> Json:
        return {
            "default_generation_settings": {"n_ctx": self.context_tokens // self.slots},
            "modalities": {"vision": False},
            "chat_template": "{# scripted #}",
            "chat_template_caps": {"supports_tools": True},
            "build_info": "scripted",
        }

    def answer(self, path: str, body: Json) -> Json:
        """A whole answer. Raises Refused, or what a body of a wrong shape leads to."""
        if path == "/tokenize":
            return {"tokens": tokens(str(body["content"]), special=bool(body.get("parse_special")))}
        if path == "/apply-template":
            return {"prompt": self.rendered(body)}
        if path == f"{CHAT}/input_tokens":
            return {"input_tokens": len(tokens(self.rendered(body), special=True))}
        if path not in STREAMED:
            raise Refused(404, "not_found_error", "File Not Found")
        text, call, usage = self._generated(path, body)
        more = {"usage": usage, "timings": self._timings(usage)}
        if path == "/completion":
            return {"content": text, **more}
        head = {"id": "chatcmpl-scripted", "created": 1, "model": "scripted", "object": "chat.completion"}
        if path == "/v1/completions":
            return {**head, "choices": [{"index": 0, "text": text, "finish_reason": "stop"}], **more}
        message: Json = {"role": "assistant", "content": text}
        if call:
            message = {"role": "assistant", "content": text or None, "tool_calls": [{"id": "call-1", **call}]}
        return {**head, "choices": [{"index": 0, "finish_reason": _reason(call), "message": message}], **more}

    def frames(self, path: str, body: Json) -> Iterator[Json]:
        """The frames of a stream, made one by one. Raises Refused before the first."""
        text, call, usage = self._generated(path, body)
        return self._framed(path, body, text, call, usage)

    def rendered(self, body: Json) -> str:
        """ChatML turns with calls as JSON between tags; a started turn is left open."""
        given = body["messages"]
        if not isinstance(given, list):
            raise Refused(400, "invalid_request_error", "Expected 'messages' to be an array")
        messages = cast(list[Json], given)
        tools = _held(body.get("chat_template_kwargs")).get("tools") or _listed(body.get("tools"))
        prompt = "<|im_start|>system\nscripted" + "".join(f"\n{json.dumps(tool)}" for tool in tools) + "<|im_end|>\n"
        for place, message in enumerate(messages):
            text = _text_of(message.get("content"))
            for call in _listed(message.get("tool_calls")):
                function = call["function"]
                said = f'{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}'
                text += f"<tool_call>\n{said}\n</tool_call>"
            prompt += f"<|im_start|>{message['role']}\n{text}"
            if place == len(messages) - 1 and message["role"] == "assistant":
                return prompt
            prompt += "<|im_end|>\n"
        return prompt + ("<|im_start|>assistant\n" if body.get("add_generation_prompt", True) else "")

    def _generated(self, path: str, body: Json) -> tuple[str, Json | None, Json]:
        """The text, the call and the usage of one answer."""
        prompt = self.rendered(body) if path == CHAT else str(body["prompt"])
        read, context = tokens(prompt, special=True), self.context_tokens // self.slots
        if len(read) >= context:
            told = {"n_prompt_tokens": len(read), "n_ctx": context}
            raise Refused(400, "exceed_context_size_error", "the request exceeds the available context size", **told)
        cached = next((n for n, (a, b) in enumerate(zip(read, self.last, strict=False)) if a != b), 0)
        cached = cached or min(len(read), len(self.last))
        self.last = read
        call = None
        is_forced = path == CHAT and body.get("tools") and body.get("tool_choice") == "required"
        if is_forced and not self.behaviour.get("calls_nothing"):
            name = body["tools"][0]["function"]["name"]
            call = {"type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}}
        structured = "" if self.behaviour.get("ignores_schemas") else _structured(body)
        is_silent = call or self.behaviour.get("answers_empty")
        # One that counts, and is asked to go on with what is whole, has nothing to add.
        said = self._counted(body) if "counts_to" in self.behaviour else self.behaviour.get("says", "Hi.")
        text = "" if is_silent else structured or said
        usage: Json = {"prompt_tokens": len(read), "completion_tokens": 2, "total_tokens": len(read) + 2}
        return text, call, {**usage, "prompt_tokens_details": {"cached_tokens": cached}}

    def _counted(self, body: Json) -> str:
        """The numbers that are left to say."""
        turns = _listed(body.get("messages"))
        begun = _text_of(turns[-1].get("content")) if turns and turns[-1]["role"] == "assistant" else ""
        last = begun.split()[-1:]
        first = int(last[0]) + 1 if last and last[0].isdecimal() else 0
        return "".join(f" {number}" for number in range(first, self.behaviour.get("counts_to", 0)))

    def _framed(self, path: str, body: Json, text: str, call: Json | None, usage: Json) -> Iterator[Json]:
        def frame(delta: Json | None, reason: str | None = None, **more: object) -> Json:
            if delta is None:
                choices: list[Json] = []
            elif path == CHAT:
                choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
            else:
                choices = [{"index": 0, "text": delta.get("content", ""), "finish_reason": reason}]
            return {
                "id": "chatcmpl-scripted",
                "created": 1,
                "model": "scripted",
                "object": "chunk",
                "choices": choices,
                **more,
            }

        if path == CHAT:
            yield frame({"role": "assistant", "content": None})
        if call and not self.behaviour.get("streams_no_calls"):
            function = call["function"]
            begun = {"index": 0, "id": "call-1", "type": "function", "function": {**function, "arguments": ""}}
            yield frame({"tool_calls": [begun]})
            yield frame({"tool_calls": [{"index": 0, "function": {"arguments": function["arguments"]}}]})
        elif call:
            yield frame({"content": json.dumps(call["function"])})
        pieces = [f" {number}" for number in text.split()] if "counts_to" in self.behaviour else [text]
        for piece in pieces * (ENDLESS if body.get("ignore_eos") else 1):
            yield frame({"content": piece}) if piece else frame({})
        yield frame({}, "stop" if self.behaviour.get("streams_no_calls") else _reason(call))
        if _held(body.get("stream_options")).get("include_usage") and not self.behaviour.get("tells_no_usage"):
            yield frame(None, usage=usage, timings=self._timings(usage))

    def _timings(self, usage: Json) -> Json:
        if self.behaviour.get("tells_no_speed"):
            return {}
        return {
            "prompt_n": usage["prompt_tokens"],
            "prompt_per_second": self.behaviour.get("reading_per_s", 1000.0),
            "predicted_n": usage["completion_tokens"],
            "predicted_per_second": self.behaviour.get("generation_per_s", 100.0),
        }


def tokens(text: str, *, special: bool) -> list[int]:
    """The tokens of a text; control texts are tokens where they are looked for."""
    found = (_TOKEN if special else _TEXT).findall(text)
    return [_CONTROL[one] if special and one in _CONTROL else 10 + zlib.crc32(one.encode()) % 30_000 for one in found]


def _reason(call: Json | None) -> str:
    return "tool_calls" if call else "stop"


def _text_of(content: object) -> str:
    parts: Any = content
    return "".join(str(part.get("text", "")) for part in parts) if isinstance(content, list) else str(content or "")


def _structured(body: Json) -> str:
    """An object with all that a schema requires, where one is asked for."""
    form = _held(body.get("response_format"))
    if form.get("type") not in ("json_schema", "json_object"):
        return ""
    schema = _held((_held(form.get("json_schema")) or form).get("schema"))
    return json.dumps({str(name): "x" for name in _listed(schema.get("required"))})


def _held(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def _listed(value: object) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []
