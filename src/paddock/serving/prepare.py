"""Owns what of a client's body reaches the engine: the received dict with the documented amendments, nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from paddock.errors import BadRequest, shown
from paddock.protocol.shape import as_object
from paddock.serving import images
from paddock.serving.toolruns import ToolUse

# paddock's own fields: read here, never sent on.
EXTENSIONS = (
    "enable_tools", "enabled_tools", "session_id", "max_tool_calls_per_message", "tool_call_timeout", "image_base64",
    "tool_permissions", "tool_approval_timeout", "heal",
)  # fmt: skip
# Where a request says how long its answer may be.
BOUNDS = ("max_tokens", "max_completion_tokens", "n_predict")
_FORCED_TOKENS_MOST = 8192
_UNSET_IF_NULL = (*BOUNDS, "tool_choice", "stream_options", "stream")
_CHAT = "/v1/chat/completions"
# Where the engine can answer in a stream; elsewhere it answers whole, whatever `stream` says.
_STREAMING = (_CHAT, "/v1/completions", "/infill")
# Known OpenAI fields that no engine of ours can honour: refused by name rather than dropped in silence.
_REFUSED = {
    "functions": "Use 'tools' instead: 'functions' is the older form, which the engine would ignore.",
    "function_call": "Use 'tool_choice' instead: 'function_call' is the older form, which the engine would ignore.",
    "lora": "Name adapters in 'model' instead, as MODEL+ADAPTER:SCALE.",
    "audio": "Audio output is not supported. Leave 'audio' out.",
    "web_search_options": "Web search is not supported. Leave 'web_search_options' out.",
}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request as the engine gets it.

    `adapted` says what was put otherwise (`x-paddock-adapted`), `sampling` what the model was recommended with
    (`x-paddock-sampling`); `served_by` is the model's id where the client named another (`x-paddock-model`); `tools`
    are the client's own where `body` holds a copy of them for decoding. `received` is the body before any of that.
    `tool_use` is there where the server's own tools help to answer it.
    """

    path: str
    body: dict[str, Any]
    streamed: bool
    wants_usage: bool
    wants_progress: bool
    has_images: bool = False
    legacy_image: str | None = None
    forces_call: bool = False
    normalized: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
    sampling: str = ""
    served_by: str = ""
    heals: bool = False
    is_single_call: bool = False
    tools: list[Any] | None = None
    received: dict[str, Any] | None = None
    tool_use: ToolUse | None = None

    def encoded(self) -> bytes:
        """The body's bytes. Text stays as it is, but for halves of a pair, which UTF-8 cannot hold and JSON escapes."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def refuse_unsupported(body: dict[str, Any]) -> None:
    """Name what would otherwise be dropped in silence. Raises BadRequest with the field as `param`."""
    for name, advice in _REFUSED.items():
        if body.get(name) is not None:
            raise BadRequest(f"'{name}' is not supported. {advice}", param=name)
    modalities = body.get("modalities")
    if modalities is not None and modalities != ["text"]:
        raise BadRequest(
            f"modalities {shown(modalities)} are not supported: paddock answers in text.", param="modalities"
        )
    for at, tool in enumerate(body.get("tools") or []):
        _refuse_tool(at, tool)
    if body.get("tool_choice") not in (None, "auto", "none") and not body.get("tools"):
        raise BadRequest(f"tool_choice {shown(body['tool_choice'])} needs 'tools' to choose from.", param="tool_choice")


def _refuse_tool(at: int, tool: dict[str, Any]) -> None:
    if tool.get("type", "function") != "function":
        kind = shown(tool["type"])
        raise BadRequest(f"Tools of type {kind} are not supported. Send type 'function'.", param=f"tools.{at}.type")
    name = (as_object(tool.get("function")) or {}).get("name")
    if tool.get("type") != "function" or not isinstance(name, str) or not name:
        raise BadRequest(
            f'Tool {at} needs the form {{"type": "function", "function": {{"name": …, "parameters": …}}}}.',
            param=f"tools.{at}",
        )


def limited(prepared: Prepared, most_tokens: int) -> Prepared:
    """The request with a bound for its answer where it sets none: a small model may go on for ever.

    A forced call always has one: what its schema cannot bound (numbers, untyped values) would never end.

    Args:
        prepared: the request.
        most_tokens: the setting `answer_tokens_most`; 0 for none.
    """
    why = "the setting answer_tokens_most"
    if prepared.forces_call and not 0 < most_tokens <= _FORCED_TOKENS_MOST:
        most_tokens, why = _FORCED_TOKENS_MOST, "a forced call"
    writes = prepared.path in _STREAMING
    if not most_tokens or not writes or any(name in prepared.body for name in BOUNDS):
        return prepared
    told = f"max_tokens {most_tokens}: {why}"
    body = {**prepared.body, "max_tokens" if prepared.path != "/infill" else "n_predict": most_tokens}
    return replace(prepared, body=body, adapted=(*prepared.adapted, told))


def prepare(path: str, body: dict[str, Any], *, normalized: tuple[str, ...] = ()) -> Prepared:
    """The upstream form of a checked chat or text completion body.

    Amendments: paddock's own fields leave; null and empty `stop`, `max_tokens`, `tools` and `tool_choice` leave;
    `repetition_penalty` becomes `repeat_penalty`; `enable_thinking` moves to `chat_template_kwargs`; `tool_choice` is
    "auto" where tools come without one; a stream asks for its usage and for progress while the prompt is read (so that
    the engine notices a closed connection between two batches).

    Raises:
        BadRequest: an `image_base64` where there is no message that it could belong to.
    """
    if body.get("image_base64") and path != _CHAT:
        sentence = "'image_base64' is taken by /v1/chat/completions alone. Send the image there."
        raise BadRequest(sentence, param="image_base64")
    sent = {name: value for name, value in body.items() if name not in EXTENSIONS}
    for name in ("stop", "tools"):
        if name in sent and not sent[name]:
            del sent[name]
    for name in (*_UNSET_IF_NULL, "enable_thinking"):
        if name in sent and sent[name] is None:
            del sent[name]
    if "repetition_penalty" in sent:
        sent["repeat_penalty"] = sent.pop("repetition_penalty")
    if "enable_thinking" in sent:
        thinking = sent.pop("enable_thinking")
        sent["chat_template_kwargs"] = {
            "enable_thinking": thinking,
            **(as_object(sent.get("chat_template_kwargs")) or {}),
        }
    if sent.get("tools") and "tool_choice" not in sent:
        sent["tool_choice"] = "auto"
    streamed = path in _STREAMING and bool(sent.get("stream"))
    options = as_object(sent.get("stream_options")) or {}
    wants_progress = bool(sent.get("return_progress"))
    if streamed:
        sent["stream_options"] = {**options, "include_usage": True}
        sent["return_progress"] = True
    return Prepared(
        path=path,
        body=sent,
        streamed=streamed,
        wants_usage=bool(options.get("include_usage")),
        wants_progress=wants_progress,
        has_images=images.has_images(body),
        heals=body.get("heal") is not False and bool(sent.get("tools")),
        is_single_call=body.get("parallel_tool_calls") is False and bool(sent.get("tools")),
        legacy_image=body.get("image_base64") or None,
        normalized=normalized,
        received=body,
    )
