"""Owns bringing Ollama's requests into chat form; refuses to know how they are answered. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.chat import ChatForm
from paddock.protocol.shape import as_array, as_object

# How the server's own tools may be used, which is paddock's shorthand in every dialect.
_TOOL_USE = (
    "enable_tools", "enabled_tools", "session_id", "max_tool_calls_per_message", "tool_call_timeout",
    "tool_permissions", "tool_approval_timeout",
)  # fmt: skip
# Ollama's sampling options by the engine's names.
_OPTIONS = {
    "num_predict": "max_tokens", "temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
    "seed": "seed", "stop": "stop", "repeat_penalty": "repeat_penalty", "repeat_last_n": "repeat_last_n",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty", "typical_p": "typical_p",
    "mirostat": "mirostat", "mirostat_tau": "mirostat_tau", "mirostat_eta": "mirostat_eta", "num_keep": "n_keep",
}  # fmt: skip
_LATEST = ":latest"


def model_of(request: dict[str, Any]) -> str:
    """The model's name, without the tag that stands for none. Raises FieldInvalid."""
    name = request.get("model", request.get("name"))
    if not isinstance(name, str) or not name:
        raise FieldInvalid("model: must be the name of a model.", param="model")
    return name.removesuffix(_LATEST)


def chat_form(request: dict[str, Any]) -> ChatForm:
    """`POST /api/chat` in chat form. Raises FieldInvalid or BadRequest."""
    messages = as_array(request.get("messages"))
    if messages is None:
        raise FieldInvalid("messages: must be a list.", param="messages")
    calls: list[str] = []
    turns = [_message(place, as_object(message), calls) for place, message in enumerate(messages)]
    return _form(request, turns)


def generate_form(request: dict[str, Any]) -> ChatForm:
    """`POST /api/generate` in chat form. Raises FieldInvalid or BadRequest."""
    for name in ("raw", "suffix", "context", "template"):
        if request.get(name):
            raise BadRequest(
                f"'{name}' is not supported here. Use /v1/completions or /infill for raw text.", param=name
            )
    prompt = request.get("prompt")
    if not isinstance(prompt, str):
        raise FieldInvalid(f"prompt: must be text (got {shown(prompt)}).", param="prompt")
    system = request.get("system")
    opening = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    turn = _message(0, {"role": "user", "content": prompt, "images": request.get("images")}, [])
    return _form(request, [*opening, turn])


def embed_form(request: dict[str, Any]) -> dict[str, Any]:
    """`POST /api/embed` as an embedding body. Raises FieldInvalid."""
    given: Any = request.get("input", request.get("prompt"))
    if not isinstance(given, (str, list)):
        raise FieldInvalid("input: must be text or a list of texts.", param="input")
    sized = {"dimensions": request["dimensions"]} if "dimensions" in request else {}
    return {"model": model_of(request), "input": given, **sized}


def _message(place: int, message: dict[str, Any] | None, calls: list[str]) -> dict[str, Any]:
    """One message. Ollama's calls have no ids: they get some by their order, and results take them in that order."""
    where = f"messages.{place}"
    if message is None or not isinstance(message.get("role"), str):
        raise FieldInvalid(f"{where}: must be an object with a 'role'.", param=where)
    content: Any = message.get("content") or ""
    if not isinstance(content, str):
        raise FieldInvalid(f"{where}.content: must be text.", param=f"{where}.content")
    turn: dict[str, Any] = {"role": message["role"], "content": content}
    if message["role"] == "tool":
        given = message.get("tool_call_id")
        turn["tool_call_id"] = given or (calls.pop(0) if calls else f"call_{place}_0")
    if message["role"] == "assistant":
        if message.get("thinking"):
            turn["reasoning_content"] = message["thinking"]
        listed = as_array(message.get("tool_calls")) or []
        if listed:
            turn["tool_calls"] = [_call(f"call_{place}_{at}", as_object(call)) for at, call in enumerate(listed)]
            calls[:] = [call["id"] for call in turn["tool_calls"]]
    images = as_array(message.get("images")) or []
    if images:
        parts = [{"type": "image_url", "image_url": {"url": _data_url(image, where)}} for image in images]
        turn["content"] = [*([{"type": "text", "text": content}] if content else []), *parts]
    return turn


def _call(call_id: str, call: dict[str, Any] | None) -> dict[str, Any]:
    function = as_object((call or {}).get("function")) or {}
    arguments: Any = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {"id": call_id, "type": "function", "function": {"name": function.get("name"), "arguments": text}}


def _data_url(image: Any, where: str) -> str:
    if not isinstance(image, str):
        raise FieldInvalid(f"{where}.images: must be base64 texts.", param=f"{where}.images")
    return image if image[:5].lower() == "data:" else f"data:image/png;base64,{image}"


def _form(request: dict[str, Any], messages: list[dict[str, Any]]) -> ChatForm:
    notes: dict[str, None] = {}
    body: dict[str, Any] = {"model": model_of(request), "messages": messages}
    for name, value in (as_object(request.get("options")) or {}).items():
        if value is None:
            continue
        if name in _OPTIONS:
            body[_OPTIONS[name]] = value
        elif name != "num_gpu":
            notes[f"options: {name[:40]} left out, it is set when a model is loaded"] = None
    limit: Any = body.get("max_tokens")
    if isinstance(limit, int | float) and limit < 0:
        del body["max_tokens"]
    if request.get("tools"):
        body["tools"] = request["tools"]
    body |= {name: request[name] for name in _TOOL_USE if name in request}
    wanted = request.get("format")
    if wanted == "json":
        body["response_format"] = {"type": "json_object"}
    elif as_object(wanted) is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    if isinstance(request.get("think"), bool):
        body["chat_template_kwargs"] = {"enable_thinking": request["think"]}
    if request.get("stream", True) is not False:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return ChatForm(body=body, adapted=tuple(notes))
