"""Owns the rules that a request's fields must keep (rows 1-18 of the wire table); refuses to change what it checks.

The models read a copy. What travels on is the received body.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from paddock.caller import OF_KEY, Right
from paddock.errors import FieldInvalid
from paddock.protocol.shape import as_object, is_json

Schema = TypeVar("Schema", bound=BaseModel)
Role = Literal["system", "user", "assistant", "tool"]


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        raise ValueError("must be a number")
    return value


Number = Annotated[float | None, BeforeValidator(_number)]


class Message(BaseModel):
    """One message. Context `{"lenient": True}` allows what `protocol/normalize.py` names."""

    model_config = ConfigDict(extra="allow")

    role: Role
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _rules(self, info: ValidationInfo) -> Message:
        context: dict[str, bool] = info.context or {}
        lenient = context.get("lenient", False)
        if self.tool_calls is not None and self.role != "assistant":
            raise ValueError(f"'tool_calls' belongs on assistant messages only, not on role '{self.role}'")
        if self.tool_call_id is not None and self.role != "tool":
            raise ValueError(f"'tool_call_id' belongs on tool messages only, not on role '{self.role}'")
        if self.name is not None and self.role != "tool" and not lenient:
            raise ValueError(f"'name' belongs on tool messages only, not on role '{self.role}'")
        for part in self.content if isinstance(self.content, list) else []:
            if part.get("type") == "text" and not isinstance(part.get("text"), str):
                raise ValueError("a part of type 'text' needs a string in 'text'")
        if self.role == "tool":
            self._tool_rules(lenient)
        elif self.role == "assistant":
            self._assistant_rules(lenient)
        elif not self.content:
            raise ValueError(f"'content' must not be empty on role '{self.role}'")
        return self

    def _tool_rules(self, lenient: bool) -> None:
        if not self.tool_call_id:
            raise ValueError("'tool_call_id' must name the call that this tool message answers")
        if not self.content and not lenient:
            raise ValueError("'content' must not be empty on role 'tool'")

    def _assistant_rules(self, lenient: bool) -> None:
        if not self.tool_calls and not self.content:
            raise ValueError("an assistant message needs 'content' or 'tool_calls'")
        for call in self.tool_calls or []:
            _check_call(call)
        if self.tool_calls and self.content == "" and not lenient:
            raise ValueError("'content' beside 'tool_calls' must be null, absent or not empty")


def _check_call(call: dict[str, Any]) -> None:
    function = as_object(call.get("function"))
    if call.get("type") != "function" or function is None or not _is_name(function.get("name")):
        raise ValueError("each of 'tool_calls' needs type 'function' and a function with a name")
    arguments = function.get("arguments", "{}")
    if isinstance(arguments, str) and not is_json(arguments):
        raise ValueError(f"the arguments of the call to '{str(function['name'])[:100]}' are not JSON")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


class Sampling(BaseModel):
    """Fields that chat and text completions share. Fields that are not named here pass untouched."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    stream: StrictBool | None = False
    stop: str | list[str] | None = None
    temperature: Number = None
    top_p: Number = None
    min_p: Number = None
    top_k: StrictInt | None = None
    max_tokens: StrictInt | None = None
    max_completion_tokens: StrictInt | None = None
    presence_penalty: Number = None
    frequency_penalty: Number = None
    repetition_penalty: Number = None
    n: StrictInt | None = None
    seed: StrictInt | None = None
    stream_options: dict[str, Any] | None = None


class ChatRequest(Sampling):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], FailFast()]
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["auto", "required", "none"] | dict[str, Any] | None = None
    parallel_tool_calls: StrictBool | None = None
    response_format: dict[str, Any] | None = None
    image_base64: str | None = None
    enable_tools: StrictBool | None = None
    enabled_tools: list[str] | None = None
    session_id: str | None = None
    max_tool_calls_per_message: Annotated[StrictInt, Field(ge=0, le=200)] | None = None
    tool_call_timeout: Annotated[float, BeforeValidator(_number), Field(gt=0, le=3600)] | None = None
    tool_permissions: dict[str, Literal["ask", "always", "never"]] | None = None
    tool_approval_timeout: Annotated[float, BeforeValidator(_number), Field(gt=0, le=86400)] | None = None

    @field_validator("messages")
    @classmethod
    def _some_messages(cls, messages: list[Message]) -> list[Message]:
        if not messages:
            raise ValueError("must hold at least one message")
        return messages


class CompletionRequest(Sampling):
    """`POST /v1/completions`. The prompt's form (text, tokens, lists of them) is the engine's to judge."""

    prompt: Any

    @field_validator("prompt")
    @classmethod
    def _some_prompt(cls, prompt: Any) -> Any:
        if prompt is None or prompt == []:
            raise ValueError("must not be empty")
        return prompt


class EmbeddingRequest(BaseModel):
    """`POST /v1/embeddings`."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    input: Any
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: StrictInt | None = None

    @field_validator("input")
    @classmethod
    def _some_input(cls, value: Any) -> Any:
        if value is None or value == "" or value == []:
            raise ValueError("must not be empty")
        return value


# A name in which `*` stands for anything.
Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class KeyRequest(BaseModel):
    """`POST /api/keys`. The bounds are those of `paddock keys create`."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)] = ""
    expires_days: Number = None
    record: StrictBool = False
    may: Annotated[list[Right], Field(min_length=1, max_length=20)] = list(OF_KEY)
    models: Annotated[list[Pattern], Field(max_length=100)] = []
    paths: Annotated[list[Pattern], Field(max_length=100)] = []
    requests_per_minute: Annotated[StrictInt, Field(ge=0, le=10**6)] = 0
    requests_per_day: Annotated[StrictInt, Field(ge=0, le=10**9)] = 0
    tokens_per_day: Annotated[StrictInt, Field(ge=0, le=10**9)] = 0

    @field_validator("expires_days")
    @classmethod
    def _some_days(cls, days: float | None) -> float | None:
        if days is not None and not 0.001 <= days <= 36500:
            raise ValueError("must be from 0.001 to 36500 days")
        return days


class RecordingRequest(BaseModel):
    """`POST /api/requests/recording`."""

    model_config = ConfigDict(extra="forbid")

    on: StrictBool


class ImportRequest(BaseModel):
    """`POST /api/models/import`."""

    path: StrictStr
    name: StrictStr | None = None


def check(schema: type[Schema], body: dict[str, Any], *, lenient: bool = True) -> Schema:
    """Check a copy of `body` against `schema`.

    Raises:
        FieldInvalid: the first broken rule, with the path of the field, such as `messages.2.tool_call_id`.
    """
    try:
        return schema.model_validate(body, context={"lenient": lenient})
    except ValidationError as error:
        raise _first_broken(error) from error


def _first_broken(error: ValidationError) -> FieldInvalid:
    first = error.errors(include_url=False, include_context=False)[0]
    param = ".".join(str(step) for step in first["loc"] if not _is_branch(step)) or None
    sentence = first["msg"].removeprefix("Value error, ")
    shown = repr(first.get("input"))
    value = f" (got {shown if len(shown) <= 80 else shown[:77] + '…'})" if first["type"] != "value_error" else ""
    return FieldInvalid(f"{param}: {sentence}{value}." if param else f"{sentence}{value}.", param=param)


def _is_branch(step: object) -> bool:
    """Whether a step of the path names a branch of a union, not a field."""
    return isinstance(step, str) and (step in ("str", "bool", "int", "float") or "[" in step)
