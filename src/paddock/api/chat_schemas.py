"""Owns the shapes of the page's chats on the wire: what requests must keep, and what answers are; keeps nothing."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from paddock.store.chat_rows import MESSAGES_MOST

_TITLE_MOST, _NAME_MOST, _TEXT_MOST, _SYSTEM_MOST = 200, 100, 1_000_000, 100_000
_PARTS_MOST, _ATTACHMENTS_MOST, _STOPS_MOST, _TOOLS_MOST, _FILES_MOST = 200, 32, 16, 50, 100


def _storable(text: str) -> str:
    """Text that both databases hold: without NUL, and with question marks for halves of a pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Chosen by the client, or made here.")]
Title = Annotated[str, Field(max_length=_TITLE_MOST), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=_NAME_MOST), AfterValidator(_storable)]
ModelName = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=_TEXT_MOST)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# Seconds since 1970, up to the year 5138.
Moment = Annotated[Number, Field(ge=0, le=1e11)]
Role = Literal["user", "assistant", "system", "tool"]
Status = Literal["complete", "generating", "stopped", "failed", "cut"]


class _Closed(BaseModel):
    """A body with no other fields than these."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TextPart(_Closed):
    """Words."""

    type: Literal["text"]
    text: Text


class ReasoningPart(_Closed):
    """Thoughts, and how long they took."""

    type: Literal["reasoning"]
    text: Text
    duration_s: Number | None = None


class ImagePart(_Closed):
    """An image that was attached."""

    type: Literal["image"]
    attachment_id: Id
    name: Annotated[str, Field(max_length=300)] | None = None


class DocumentPart(_Closed):
    """A document that was attached."""

    type: Literal["document"]
    attachment_id: Id
    name: Annotated[str, Field(max_length=300)] | None = None


class ToolCallPart(_Closed):
    """A call of a tool; `arguments` is JSON."""

    type: Literal["tool_call"]
    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    arguments: Text


class ToolFile(_Closed):
    """A file that a tool made, and where it can be fetched while its session lasts."""

    path: Annotated[str, Field(max_length=1000)]
    size_bytes: Annotated[StrictInt, Field(ge=0)]
    media_type: Annotated[str, Field(max_length=100)]
    url: Annotated[str, Field(max_length=4000)] | None = None


class ToolResultPart(_Closed):
    """What a tool answered."""

    type: Literal["tool_result"]
    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    output: Text
    is_error: StrictBool = False
    files: Annotated[list[ToolFile], Field(max_length=_FILES_MOST)] = []


Part = Annotated[
    TextPart | ReasoningPart | ImagePart | DocumentPart | ToolCallPart | ToolResultPart, Field(discriminator="type")
]
_Parts = Annotated[list[Part], Field(max_length=_PARTS_MOST)]


def _as_parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _within_bounds(content: list[Any]) -> list[Any]:
    said = sum(len(getattr(part, name, "") or "") for part in content for name in ("text", "output", "arguments"))
    if said > _TEXT_MOST:
        raise ValueError(f"'content' has {said} characters of text; a message may have {_TEXT_MOST}")
    attached = sum(hasattr(part, "attachment_id") for part in content)
    if attached > _ATTACHMENTS_MOST:
        raise ValueError(f"'content' has {attached} attachments; a message may have {_ATTACHMENTS_MOST}")
    return content


# Text, or parts.
Content = Annotated[
    list[Part],
    Field(max_length=_PARTS_MOST),
    AfterValidator(_within_bounds),
    BeforeValidator(_as_parts, json_schema_input_type=Text | _Parts),
]


class ChatSettings(_Closed):
    """How answers are made. What is left out, the model's advice decides."""

    model: ModelName | None = None
    system: Annotated[str, Field(max_length=_SYSTEM_MOST)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=100)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[Number, Field(ge=0, le=100)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-100, le=100)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-100, le=100)] | None = None
    seed: Annotated[StrictInt, Field(ge=-1, le=2**32 - 1)] | None = None
    max_output_tokens: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)] | None = None
    stop: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=_STOPS_MOST)] | None
    ) = None
    thinking: StrictBool | None = None
    effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    tools: Annotated[list[Name], Field(max_length=_TOOLS_MOST)] | None = Field(
        default=None, description="The server's own tools that answers may use, by their names or groups."
    )
    knowledge: Annotated[list[Id], Field(max_length=20)] | None = Field(
        default=None, description="The collections of documents in which answers may look."
    )
    extra: dict[str, Any] | None = Field(default=None, description="Further fields of POST /v1/responses.")


class Draft(_Closed):
    """What is typed and not sent."""

    text: Text = ""
    attachments: Annotated[list[Id], Field(max_length=_ATTACHMENTS_MOST)] = []
    model: ModelName | None = None


class ChatCreate(_Closed):
    """`POST /api/chats`."""

    id: Id | None = None
    title: Title = ""
    folder_id: Id | None = None
    pinned: StrictBool = False
    archived: StrictBool = False
    settings: ChatSettings = ChatSettings()
    draft: Draft | None = None


class ChatPatch(_Closed):
    """`PATCH /api/chats/{id}`: the fields that are sent."""

    title: Title = ""
    folder_id: Id | None = None
    pinned: StrictBool = False
    archived: StrictBool = False
    settings: ChatSettings = ChatSettings()
    draft: Draft | None = None
    leaf_id: Id | None = None
    revision: StrictInt | None = None
    draft_revision: StrictInt | None = None


class ForkCreate(_Closed):
    """`POST /api/chats/{id}/fork`."""

    message_id: Id
    id: Id | None = None
    title: Title | None = None


class MessageCreate(_Closed):
    """`POST /api/chats/{id}/messages`."""

    id: Id | None = None
    parent_id: Id | None
    role: Role
    content: Content
    model: ModelName | None = None
    select: StrictBool = True


class MessagePatch(_Closed):
    """`PATCH /api/chats/{id}/messages/{message}`."""

    content: Content
    revision: StrictInt | None = None


class AnswerCreate(_Closed):
    """`POST /api/chats/{id}/answers`."""

    parent_id: Id | None = None
    id: Id | None = None
    model: ModelName | None = None
    settings: ChatSettings = ChatSettings()
    continues: Id | None = None
    select: StrictBool = True

    @model_validator(mode="after")
    def _has_a_place(self) -> AnswerCreate:
        if self.parent_id is None and self.continues is None:
            raise ValueError("'parent_id' must name the message to answer, or 'continues' the answer that goes on")
        return self


class FolderCreate(_Closed):
    """`POST /api/folders`."""

    id: Id | None = None
    name: Name
    position: Number | None = None


class FolderPatch(_Closed):
    """`PATCH /api/folders/{id}`."""

    name: Name | None = None
    position: Number | None = None


class PresetCreate(_Closed):
    """`POST /api/presets`."""

    id: Id | None = None
    name: Name
    settings: ChatSettings


class PresetPatch(_Closed):
    """`PATCH /api/presets/{id}`."""

    name: Name | None = None
    settings: ChatSettings | None = None


class Usage(_Closed):
    """What an answer took, in tokens."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    total_tokens: int


class Timings(_Closed):
    """How long an answer took, by the server's clock and by what its engine measured."""

    wait_s: float | None = Field(description="Until the first piece: queue, loading, reading the prompt.")
    total_s: float | None
    reasoning_s: float | None
    prompt_tokens: int | None
    prompt_s: float | None
    prompt_tokens_per_s: float | None
    output_tokens: int | None
    output_s: float | None
    output_tokens_per_s: float | None


class MessageError(_Closed):
    """Why an answer failed."""

    code: str
    message: str


class MessageBrought(_Closed):
    """A message of a file. Those above it come before it."""

    id: Id
    parent_id: Id | None
    role: Role
    content: Content
    model: ModelName | None = None
    created_s: Moment = 0.0
    status: Literal["complete", "stopped", "failed", "cut"] = "complete"
    usage: Usage | None = None
    timings: Timings | None = None
    error: MessageError | None = None


class ChatBrought(_Closed):
    """A chat of a file."""

    id: Id
    title: Title = ""
    folder: Name | None = None
    created_s: Moment = 0.0
    updated_s: Moment = 0.0
    pinned: StrictBool = False
    archived: StrictBool = False
    settings: ChatSettings = ChatSettings()
    leaf_id: Id | None = None
    messages: Annotated[list[MessageBrought], Field(max_length=MESSAGES_MOST)]

    @model_validator(mode="after")
    def _is_a_tree(self) -> ChatBrought:
        above: set[str] = set()
        for one in self.messages:
            if one.parent_id is not None and one.parent_id not in above:
                raise ValueError(f"'messages' has {one.id!r} under {one.parent_id!r}, which is not before it")
            if one.id in above:
                raise ValueError(f"'messages' has {one.id!r} twice")
            above.add(one.id)
        if self.leaf_id is None and self.messages:
            self.leaf_id = self.messages[-1].id
        if self.leaf_id is not None and self.leaf_id not in above:
            raise ValueError(f"'leaf_id' is {self.leaf_id!r}, which is no message of it")
        return self
