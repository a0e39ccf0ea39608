"""Owns the requests that the fuzzing starts from: those that real clients sent, and one or more for every other route.

Recorded requests lie beside the repository; without them the ones here remain.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any, cast

from tests.fuzz.server import EMBEDDER

Json = dict[str, Any]
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "client-requests"
MODEL = "pocket-v0"
# Stands for the id of a response, or of a recording, that an earlier request made.
RESPONSE_ID, RECORD_ID = "RESPONSE-ID", "RECORD-ID"


def png(width: int, height: int, *, data: bytes | None = None) -> str:
    """An image as a data URL. `data` takes the place of its pixels."""
    pixels = zlib.compress(b"".join(b"\0" + b"\x7f" * width for _ in range(height))) if data is None else data
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b""))
    whole = b"\x89PNG\r\n\x1a\n"
    for kind, held in chunks:
        whole += struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
    return "data:image/png;base64," + base64.b64encode(whole).decode()


IMAGE = png(4, 4)
BOMB = png(60000, 60000, data=b"")
_SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_FUNCTION: Json = {"name": "get_weather", "description": "Weather", "parameters": _SCHEMA}
_TOOL: Json = {"type": "function", "function": _FUNCTION}
_CALL: Json = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
_USER: Json = {"role": "user", "content": "Hello"}
_LOOK: Json = {"role": "user", "content": [
    {"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
]}  # fmt: skip
_FORMAT: Json = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": _SCHEMA}}
_THINK: Json = {"type": "thinking", "thinking": "Hm", "signature": "x"}
_USE: Json = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Oslo"}}
_RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]}
_SEEN: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE[22:]}}
_MESSAGES: Json = {
    "model": MODEL, "max_tokens": 64, "system": [{"type": "text", "text": "Be brief"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, _SEEN]},
        {"role": "assistant", "content": [_THINK, {"type": "text", "text": "I ask"}, _USE]},
        {"role": "user", "content": [_RESULT]},
    ],
    "tools": [{"name": "get_weather", "description": "Weather", "input_schema": _SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "stop_sequences": ["x"], "temperature": 0.5,
}  # fmt: skip
_ITEMS: list[Json] = [
    {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": IMAGE},
    ]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "content": None},
    {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
]  # fmt: skip
_RESPONSE: Json = {
    "model": MODEL, "input": _ITEMS, "instructions": "Be brief", "max_output_tokens": 64, "metadata": {"a": "b"},
    "tools": [{"type": "function", "strict": True, **_FUNCTION}, {"type": "custom", "name": "shell"}],
    "tool_choice": {"type": "function", "name": "get_weather"}, "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low"}, "include": [], "parallel_tool_calls": False,
}  # fmt: skip

OWN: dict[str, list[Json]] = {
    "/v1/chat/completions": [
        {"model": MODEL, "messages": [_USER, {"role": "assistant", "content": None, "tool_calls": [_CALL]},
         {"role": "tool", "tool_call_id": "c1", "content": "rain"}], "tools": [_TOOL], "tool_choice": "required"},
        {"messages": [_LOOK], "response_format": _FORMAT, "stream_options": {"include_usage": True}, "stop": ["x"]},
        {"messages": [_USER], "temperature": 0.5, "top_p": 0.9, "n": 1, "seed": 7, "max_completion_tokens": 9,
         "logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 5}, "user": "me", "image_base64": IMAGE[22:]},
    ],
    "/v1/completions": [{"model": MODEL, "prompt": "Once", "max_tokens": 9, "stop": ["x"], "logprobs": 1, "n": 1}],
    "/v1/embeddings": [{"model": EMBEDDER, "input": ["a", "b"], "encoding_format": "float", "dimensions": 2}],
    "/v1/messages": [_MESSAGES],
    "/v1/messages/count_tokens": [{name: _MESSAGES[name] for name in ("model", "messages", "system", "tools")}],
    "/v1/responses": [
        _RESPONSE,
        {"input": "Hello", "background": True},
        {"input": "And then?", "previous_response_id": RESPONSE_ID, "background": True, "store": True},
        {"input": _ITEMS[2:], "store": True, "previous_response_id": RESPONSE_ID},
    ],
    "/v1/responses/input_tokens": [{"input": "Hello", "previous_response_id": RESPONSE_ID}, _RESPONSE],
    "/v1/rerank": [{"model": EMBEDDER, "query": "a", "documents": ["b", "c"], "top_n": 1}],
    "/tokenize": [{"content": "Hello", "add_special": True, "with_pieces": True}],
    "/detokenize": [{"tokens": [1, 2, 3]}],
    "/apply-template": [{"messages": [_USER], "tools": [_TOOL]}],
    "/infill": [{"input_prefix": "a", "input_suffix": "b", "input_extra": [{"filename": "x", "text": "y"}]}],
    "/api/chat": [
        {"model": MODEL, "messages": [{**_USER, "images": [IMAGE[22:]]}], "format": _SCHEMA, "options": {"seed": 1}},
        {"model": MODEL, "messages": [_USER, {"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
            {"role": "tool", "content": "rain", "tool_name": "get_weather"}], "tools": [_TOOL], "think": True},
    ],
    "/api/generate": [
        {"model": MODEL, "prompt": "Hi", "system": "s", "options": {"num_predict": 5}, "keep_alive": "5m"},
        {"model": MODEL, "prompt": "Hi", "images": [IMAGE[22:]], "format": "json"},
    ],
    "/api/embed": [{"model": EMBEDDER, "input": ["a", "b"], "truncate": True}],
    "/api/show": [{"model": MODEL, "verbose": True}],
}  # fmt: skip


def _recorded() -> dict[str, list[Json]]:
    """Bodies of real clients by route, with a model that is here."""
    found: dict[str, list[Json]] = {}
    for file in sorted(RECORDED.glob("*.json")):
        for request in cast("list[Json]", json.loads(file.read_text("utf-8"))["requests"]):
            if request["method"] == "POST":
                path = str(request["path"]).split("?")[0]
                model = EMBEDDER if path == "/v1/embeddings" else MODEL
                found.setdefault(path, []).append({**request["body"], "model": model})
    return found


def bodies() -> dict[str, list[Json]]:
    """Every body to start from, by route."""
    made = {path: list(held) for path, held in OWN.items()}
    for path, held in _recorded().items():
        made.setdefault(path, []).extend(held)
    return made
