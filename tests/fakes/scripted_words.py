"""Owns what the scripted engine says when its script is silent: the engine's shapes, fixed words. No sockets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any, cast

from tests.fakes.scripted_plot import played
from tests.fakes.scripted_shapes import Answer, Chunk, Generate, Script
from tests.fakes.scripted_slots import slots_of

SYSTEM = "You are a scripted engine."
WORDS = "The scripted engine says hello."
VOCABULARY = 2048
COUNT = "/v1/chat/completions/input_tokens"
Json = dict[str, Any]


def error_answer(status: int, kind: str, message: str, **more: object) -> Answer:
    """A refusal in the engine's own shape."""
    return {"status": status, "json": {"error": {"code": status, "message": message, "type": kind, **more}}}


def default_answer(
    path: str, body: bytes, script: Script, arguments: argparse.Namespace, scripted: Answer | None
) -> Answer:
    """The answer of a well-behaved engine; `scripted` may hold a `generate` whose blanks the request fills."""
    if path == "/health":
        return {"json": {"status": "ok"}}
    if path == "/props":
        return {"json": _merged(_props(arguments), script.get("props", {}))}
    if path == "/v1/models":
        return {"json": {"object": "list", "data": [{"id": arguments.alias, "meta": {"n_vocab": VOCABULARY}}]}}
    if path == "/slots":
        return {"json": slots_of(script, arguments)}
    if path not in ("/apply-template", "/tokenize", COUNT, "/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
        return error_answer(404, "not_found_error", "File Not Found")
    try:
        request = cast(Json, json.loads(body))
    except ValueError as error:
        return error_answer(400, "invalid_request_error", f"parse error: {error}")
    try:
        return _answer_of(path, request, script, arguments, scripted)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # What it cannot make sense of an engine refuses; it does not fall silent.
        return error_answer(400, "invalid_request_error", f"{type(error).__name__}: {error}")


def _answer_of(
    path: str, request: Json, script: Script, arguments: argparse.Namespace, scripted: Answer | None
) -> Answer:
    if path in ("/tokenize", COUNT):
        return _counted(path, request)
    if path == "/apply-template":
        return _applied(request)
    if path == "/v1/chat/completions" and scripted is None and (plot := script.get("plot")):
        return played(request, plot, arguments.alias)
    if path == "/v1/embeddings":
        return _embeddings(request, arguments)
    return _generation(path, request, arguments, scripted)


def _merged(base: Json, over: Json) -> Json:
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        out[key] = _merged(cast(Json, old), cast(Json, value)) if both else value
    return out


def _props(arguments: argparse.Namespace) -> Json:
    return {
        "default_generation_settings": {"params": {}, "n_ctx": arguments.ctx_size // arguments.parallel},
        "total_slots": arguments.parallel,
        "model_alias": arguments.alias,
        "model_path": arguments.model,
        "modalities": {"vision": False, "audio": False},
        "chat_template": "{# scripted #}",
        "chat_template_caps": {
            "supports_tools": True, "supports_tool_calls": True, "supports_parallel_tool_calls": True,
            "supports_system_role": True, "supports_string_content": True, "supports_object_arguments": True,
        },
        "build_info": "scripted",
    }  # fmt: skip


def _text_of(content: object) -> str:
    if isinstance(content, list):
        parts = cast(list[Json], content)
        return "".join(str(part.get("text", "<image>")) for part in parts)
    return str(content or "")


def _applied(request: Json) -> Answer:
    """ChatML turns with calls as JSON between tags, like the template of the bundled model."""
    messages = cast(list[Json], request.get("messages", []))
    if messages and messages[-1].get("role") == "assistant" and messages[-1].get("tool_calls"):
        return error_answer(
            400, "invalid_request_error", "Cannot continue an assistant message that contains tool calls."
        )
    tools = "".join("\n" + json.dumps(tool) for tool in cast(list[Json], request.get("tools") or []))
    prompt = f"<|im_start|>system\n{SYSTEM}{tools}<|im_end|>\n"
    for place, message in enumerate(messages):
        text = _text_of(message.get("content"))
        for call in cast(list[Json], message.get("tool_calls") or []):
            function = call["function"]
            said = f'{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}'
            text += f"\n<tool_call>\n{said}\n</tool_call>"
        continued = place == len(messages) - 1 and message["role"] == "assistant"
        gap = "" if text.startswith("\n") else "\n"
        prompt += f"<|im_start|>{message['role']}{gap}{text}" + ("" if continued else "<|im_end|>\n")
        if continued:
            return {"json": {"prompt": prompt}}
    ask = request.get("add_generation_prompt", True)
    return {"json": {"prompt": prompt + ("<|im_start|>assistant\n" if ask else "")}}


def _counted(path: str, request: Json) -> Answer:
    """A token is a word."""
    if path == "/tokenize":
        return {"json": {"tokens": list(range(len(str(request.get("content", "")).split())))}}
    return {"json": {"object": "response.input_tokens", "input_tokens": len(str(request.get("messages")).split())}}


def _embeddings(request: Json, arguments: argparse.Namespace) -> Answer:
    if not arguments.embeddings:
        return error_answer(
            501, "not_supported_error", "This server does not support embeddings. Start it with `--embeddings`"
        )
    given = request.get("input", "")
    count = len(cast(list[object], given)) if isinstance(given, list) else 1
    data = [{"object": "embedding", "index": n, "embedding": [0.5, -0.25]} for n in range(count)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"json": {"object": "list", "model": arguments.alias, "data": data, "usage": usage}}


def _generation(path: str, request: Json, arguments: argparse.Namespace, scripted: Answer | None) -> Answer:
    lane = "chat" if path == "/v1/chat/completions" else "completions"
    options = cast(Json, request.get("stream_options") or {})
    if request.get("stream"):
        spec: Generate = {
            "chunks": 5, "per_s": 0.0, "lane": lane, "model": arguments.alias,
            "progress": 2 if request.get("return_progress") else 0, "usage": bool(options.get("include_usage")),
        }  # fmt: skip
        given: Answer = scripted or {}
        spec.update(given.get("generate", {}))
        if not request.get("return_progress"):
            spec["progress"] = 0
        return {**given, "generate": spec}
    usage = {"completion_tokens": 5, "prompt_tokens": 7, "total_tokens": 12}
    reason, said = "stop", cast(Json, {"role": "assistant", "content": WORDS})
    if lane == "chat" and request.get("tool_choice") == "required" and request.get("tools"):
        name = request["tools"][0]["function"]["name"]
        call = {"id": "call_scripted_0", "type": "function", "function": {"name": name, "arguments": "{}"}}
        reason, said = "tool_calls", {"role": "assistant", "content": None, "tool_calls": [call]}
    chat = {"finish_reason": reason, "index": 0, "message": said}
    plain = {"text": WORDS, "index": 0, "logprobs": None, "finish_reason": "stop"}
    return {
        "json": {
            "choices": [chat if lane == "chat" else plain], "created": 1, "model": arguments.alias,
            "object": "chat.completion" if lane == "chat" else "text_completion",
            "usage": usage, "id": "chatcmpl-scripted",
        }
    }  # fmt: skip


def generated(spec: Generate) -> Iterator[Chunk]:
    """The frames of a stream in the order of the engine: progress, the role, the words, the finish, usage, DONE."""
    chat = spec.get("lane", "chat") == "chat"
    count, rate = spec.get("chunks", 5), spec.get("per_s", 0.0)
    gap_s = 1 / rate if rate else 0.0
    total = spec.get("progress", 0)
    for done in range(total):
        progress = {"total": total * 128, "cache": 0, "processed": (done + 1) * 128, "time_ms": done}
        yield {"text": _frame(spec, chat, None, prompt_progress=progress), "delay_s": spec.get("progress_every_s", 0.0)}
    if chat:
        yield {"text": _frame(spec, chat, None, first=True)}
    stamped = spec.get("stamp", False)
    text = spec.get("text", " hello")
    word = _frame(spec, chat, text, sent_s="SENT_S") if stamped else _frame(spec, chat, text)
    word = word.replace('"SENT_S"', "SENT_S")
    for _ in range(count):
        yield {"text": word, "delay_s": gap_s, "stamp": stamped}
    last = _frame(spec, chat, None, finish="stop")
    if spec.get("usage"):
        usage = {"completion_tokens": count, "prompt_tokens": 7, "total_tokens": count + 7}
        last += _frame(spec, chat, None, empty=True, usage=usage)
    yield {"text": last}
    yield {"text": "data: [DONE]\n\n"}


def _frame(
    spec: Generate, chat: bool, text: str | None, *, first: bool = False, empty: bool = False,
    finish: str | None = None, **more: object
) -> str:  # fmt: skip
    if chat:
        delta: Json = {"content": text} if text is not None else {}
        if first or "prompt_progress" in more:
            delta = {"role": "assistant", "content": None}
        choice: Json = {"finish_reason": finish, "index": 0, "delta": delta}
    else:
        choice = {"text": text or "", "index": 0, "logprobs": None, "finish_reason": finish}
    frame = {
        "choices": [] if empty else [choice], "created": 1, "id": "chatcmpl-scripted",
        "model": spec.get("model", "scripted"),
        "object": "chat.completion.chunk" if chat else "text_completion", **more,
    }  # fmt: skip
    return "data: " + json.dumps(frame, separators=(",", ":")) + "\n\n"
