"""Owns bringing Ollama's requests into chat form; refuses to know how they are answered. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.chat import ChatForm
from paddock.protocol.shape import as_array, as_object

# Ollama's sampling options by the engine's names.
_OPTIONS = {
    "num_predict": "max_tokens", "temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
    "seed": "seed", "stop": "stop", "repeat_penalty": "repeat_penalty", "repeat_last_n": "repeat_last_n",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty", "typical_p": "typical_p",
    "mirostat": "mirostat", "mirostat_tau": "mirostat_tau", "mirostat_eta": "mirostat_eta", "num_keep": "n_keep",
}  # fmt: skip
_SET_AT_LOAD = frozenset(
    ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "use_mlock", "low_vram", "numa",
     "f16_kv", "vocab_only", "draft_num_predict")
)  # fmt: skip
# `keep_alive` and what tunes the cutting of long prompts are heard and say nothing here: a model stays loaded until
# another is asked for, and a prompt is never cut.
_KNOWN = frozenset(
    ("model", "name", "messages", "tools", "format", "options", "stream", "keep_alive", "think", "prompt", "images",
     "system", "suffix", "template", "context", "raw", "truncate", "shift")
)  # fmt: skip
_EFFORTS = ("low", "medium", "high")
_LATEST = ":latest"


def asked_model(request: dict[str, Any]) -> str:
    """The model's name as the client wrote it. Raises FieldInvalid."""
    name = request.get("model", request.get("name"))
    if not isinstance(name, str) or not name:
        raise FieldInvalid(f"model: must be the name of a model (got {shown(name)}).", param="model")
    return name


def model_of(request: dict[str, Any]) -> str:
    """The model's name, without the tag that stands for none. Raises FieldInvalid."""
    return asked_model(request).removesuffix(_LATEST)


def is_load(request: dict[str, Any], field_name: str) -> bool:
    """Whether a request has nothing to answer: no `messages`, or no `prompt`. It only loads or unloads the model."""
    return request.get(field_name) in (None, "", []) and not request.get("images")


def is_unload(request: dict[str, Any]) -> bool:
    """Whether a request that only loads a model lets it go instead: its `keep_alive` is zero, with or without a unit."""
    alive = request.get("keep_alive")
    if isinstance(alive, str):
        return alive.rstrip("hmsuµn") == "0"
    return alive == 0 and not isinstance(alive, bool)


def chat_form(request: dict[str, Any]) -> ChatForm:
    """`POST /api/chat` in chat form. Raises FieldInvalid or BadRequest."""
    messages = as_array(request.get("messages"))
    if messages is None:
        raise FieldInvalid(f"messages: must be a list (got {shown(request.get('messages'))}).", param="messages")
    calls = _OpenCalls()
    turns = [_message(place, as_object(message), calls) for place, message in enumerate(messages)]
    notes: dict[str, None] = {}
    body = {**_settled(request, notes), "messages": turns}
    if request.get("tools"):
        body["tools"] = request["tools"]
    _shape_chat(request, body)
    return ChatForm(body=body, adapted=tuple(notes))


def generate_form(request: dict[str, Any]) -> ChatForm:
    """`POST /api/generate` in chat form. Raises FieldInvalid or BadRequest."""
    prompt = _prompt(request)
    system = request.get("system")
    if not isinstance(system, (str, type(None))):
        raise FieldInvalid(f"system: must be text (got {shown(system)}).", param="system")
    opening = [{"role": "system", "content": system}] if system else []
    turn = _message(0, {"role": "user", "content": prompt, "images": request.get("images")}, _OpenCalls())
    notes: dict[str, None] = {}
    body = {**_settled(request, notes), "messages": [*opening, turn]}
    _shape_chat(request, body)
    return ChatForm(body=body, adapted=tuple(notes))


def raw_form(request: dict[str, Any]) -> ChatForm:
    """`POST /api/generate` with `"raw": true` as a text completion: the prompt as it is, without a template.

    Raises:
        FieldInvalid, BadRequest: also for what only a template could place, such as images.
    """
    prompt = _prompt(request)
    for name in ("images", "system"):
        if request.get(name):
            raise BadRequest(f"'{name}' has no place in a raw prompt. Leave it or 'raw' out.", param=name)
    notes: dict[str, None] = {}
    body = {**_settled(request, notes), "prompt": prompt}
    wanted = _format(request)
    if wanted is not None:
        body["json_schema"] = wanted or {"type": "object"}
    return ChatForm(body=body, adapted=tuple(notes))


def embed_form(request: dict[str, Any]) -> dict[str, Any]:
    """`POST /api/embed`, or its older form with `prompt`, as an embedding body. Raises FieldInvalid."""
    name = "input" if "input" in request else "prompt"
    given: Any = request.get(name)
    texts = [given] if isinstance(given, str) else as_array(given)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise FieldInvalid(f"{name}: must be text or a list of texts, none empty (got {shown(given)}).", param=name)
    size = request.get("dimensions")
    if isinstance(size, bool) or not isinstance(size, (int, type(None))) or (size is not None and size < 0):
        raise FieldInvalid(f"dimensions: must be a whole number (got {shown(size)}).", param="dimensions")
    return {"model": model_of(request), "input": texts}


def shortened(vector: list[float], dimensions: int | None) -> list[float]:
    """The first `dimensions` numbers of a vector, brought to length 1 again; the vector itself for none or 0."""
    if not dimensions or dimensions >= len(vector):
        return vector
    kept = vector[:dimensions]
    length = math.hypot(*kept)
    return [number / length for number in kept] if length else kept


@dataclass
class _OpenCalls:
    """(id, name) of the calls that wait for their results. Ollama's results name a tool at most, and never an id."""

    waiting: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def begin(self, calls: Iterable[dict[str, Any]]) -> None:
        """What an assistant turn called; earlier calls are waited for no longer."""
        self.waiting = [(call["id"], str(call["function"]["name"])) for call in calls]

    def answered(self, message: dict[str, Any], otherwise: str) -> Any:
        """The id that a result belongs to: its own, else that of the first waiting call of its tool, or of any."""
        given = message.get("tool_call_id")
        name = message.get("tool_name", message.get("name"))
        named = [call for call in self.waiting if call[0] == given or (not given and call[1] == name)]
        found = next(iter(named or ([] if given else self.waiting)), None)
        if found is None:
            return given or otherwise
        self.waiting.remove(found)
        return found[0]


def _message(place: int, message: dict[str, Any] | None, calls: _OpenCalls) -> dict[str, Any]:
    where = f"messages.{place}"
    if message is None or not isinstance(message.get("role"), str):
        raise FieldInvalid(f"{where}: must be an object with a 'role'.", param=where)
    content = message.get("content")
    if not isinstance(content, (str, type(None))):
        raise FieldInvalid(f"{where}.content: must be text (got {shown(content)}).", param=f"{where}.content")
    turn: dict[str, Any] = {"role": message["role"], "content": content or ""}
    if message["role"] == "tool":
        turn["tool_call_id"] = calls.answered(message, f"call_{place}_0")
    if message["role"] == "assistant":
        if message.get("thinking"):
            turn["reasoning_content"] = message["thinking"]
        listed = _listed(message, "tool_calls", where)
        if listed:
            turn["tool_calls"] = [_call(f"{where}.tool_calls.{at}", place, at, call) for at, call in enumerate(listed)]
            calls.begin(turn["tool_calls"])
    images = _listed(message, "images", where)
    if images:
        parts = [{"type": "image_url", "image_url": {"url": _data_url(image, where)}} for image in images]
        turn["content"] = [*([{"type": "text", "text": content}] if content else []), *parts]
    return turn


def _listed(message: dict[str, Any], name: str, where: str) -> list[Any]:
    value = message.get(name)
    if not isinstance(value, (list, type(None))):
        raise FieldInvalid(f"{where}.{name}: must be a list (got {shown(value)}).", param=f"{where}.{name}")
    return as_array(value) or []


def _call(where: str, place: int, at: int, call: Any) -> dict[str, Any]:
    """A call in chat form. Older clients give it no id: it gets one by its place, the same each time it is sent."""
    read = as_object(call) or {}
    function = as_object(read.get("function"))
    if function is None or not isinstance(function.get("name"), str) or not function["name"]:
        raise FieldInvalid(f"{where}: must hold a 'function' with a 'name'.", param=where)
    given: Any = function.get("arguments")
    if not isinstance(given, (str, dict, type(None))):
        raise FieldInvalid(f"{where}.function.arguments: must be an object (got {shown(given)}).", param=where)
    text = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
    call_id = read.get("id")
    call_id = call_id if isinstance(call_id, str) and call_id else f"call_{place}_{at}"
    return {"id": call_id, "type": "function", "function": {"name": function["name"], "arguments": text or "{}"}}


def _data_url(image: Any, where: str) -> str:
    if not isinstance(image, str):
        raise FieldInvalid(f"{where}.images: must be base64 texts.", param=f"{where}.images")
    return image if image[:5].lower() == "data:" else f"data:image/png;base64,{image}"


def _prompt(request: dict[str, Any]) -> str:
    for name in ("suffix", "context", "template"):
        if request.get(name):
            raise BadRequest(f"'{name}' is not supported here. Use /infill or /v1/completions instead.", param=name)
    prompt = request.get("prompt")
    if not isinstance(prompt, (str, type(None))):
        raise FieldInvalid(f"prompt: must be text (got {shown(prompt)}).", param="prompt")
    return prompt or ""


def _settled(request: dict[str, Any], notes: dict[str, None]) -> dict[str, Any]:
    """What every answer in text takes: the model, the options, the form of the stream. Tells what is left out."""
    for name in ("stream", "raw"):
        if not isinstance(request.get(name), (bool, type(None))):
            raise FieldInvalid(f"{name}: must be true or false (got {shown(request[name])}).", param=name)
    body: dict[str, Any] = {"model": model_of(request)}
    options = request.get("options")
    if not isinstance(options, (dict, type(None))):
        raise FieldInvalid(f"options: must be an object (got {shown(options)}).", param="options")
    for name, value in (as_object(options) or {}).items():
        if value is None:
            continue
        if name in _OPTIONS:
            body[_OPTIONS[name]] = value
        else:
            reason = "it is set when a model is loaded" if name in _SET_AT_LOAD else "it is not known"
            notes[f"options.{_written(name)} left out: {reason}"] = None
    limit = body.get("max_tokens", 0)
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise FieldInvalid(f"options.num_predict: must be a whole number (got {shown(limit)}).", param="options")
    if limit < 0:
        del body["max_tokens"]
    for name in request:
        if name not in _KNOWN and request[name] not in (None, False):
            notes[f"{_written(name)} left out: it is not known"] = None
    if request.get("stream") is not False:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _shape_chat(request: dict[str, Any], body: dict[str, Any]) -> None:
    """The wanted form of the answer, and whether the model thinks before it."""
    wanted = _format(request)
    if wanted == {}:
        body["response_format"] = {"type": "json_object"}
    elif wanted is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    think = request.get("think")
    if think is None or think == "":
        return
    if not isinstance(think, bool) and think not in _EFFORTS:
        raise FieldInvalid(f"think: must be true, false, low, medium or high (got {shown(think)}).", param="think")
    body["chat_template_kwargs"] = {"enable_thinking": think is not False}
    if isinstance(think, str):
        body["reasoning_effort"] = think


def _format(request: dict[str, Any]) -> dict[str, Any] | None:
    """The schema that an answer is to follow; {} for any JSON, None for free text. Raises FieldInvalid."""
    wanted = request.get("format")
    if wanted in (None, ""):
        return None
    schema = {} if wanted == "json" else as_object(wanted)
    if schema is None:
        raise FieldInvalid(f"format: must be 'json' or a JSON schema (got {shown(wanted)}).", param="format")
    return schema


def _written(name: str) -> str:
    """A caller's field name as a header can hold it."""
    return name if name.isascii() and name.isidentifier() and len(name) <= 40 else shown(name, limit_characters=40)
