"""Owns the shapes of what the routes of the page's chats answer, for their description; refuses to check requests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paddock.api.chat_schemas import ChatSettings, Draft, MessageError, Part, Role, Status, Timings, Usage
from paddock.api.described import Told


class Chat(Told):
    """One chat without its messages."""

    object: Literal["chat"]
    id: str
    title: str
    folder_id: str | None
    created_s: float
    updated_s: float
    pinned: bool
    archived: bool
    deleted_s: float | None
    settings: ChatSettings
    draft: Draft | None
    leaf_id: str | None = Field(description="The end of the branch that is shown.")
    revision: int
    draft_revision: int
    is_generating: bool
    message_count: int


class ChatMessage(Told):
    """One message of a chat's tree."""

    object: Literal["message"]
    id: str
    chat_id: str
    parent_id: str | None
    role: Role
    model: str | None
    content: list[Part]
    base: list[Part] = Field(description="While it is generated: what stood there before its present response.")
    created_s: float
    updated_s: float
    revision: int
    status: Status
    response_id: str | None
    usage: Usage | None
    timings: Timings | None
    error: MessageError | None


class ChatWithMessages(Chat):
    """A chat with its messages, oldest first."""

    messages: list[ChatMessage]
    siblings: dict[str, list[str]] | None = Field(description="With `leaf`: the siblings of each message, itself too.")


class ChatPage(Told):
    """A page of chats."""

    object: Literal["list"]
    data: list[Chat]
    next_cursor: str | None


class Deleted(Told):
    """What was deleted for good."""

    id: str
    deleted: Literal[True]


class Restorable(Deleted):
    """What was deleted and can be restored until `purged_s`."""

    deleted_s: float
    purged_s: float


class RestorableMessage(Restorable):
    """A message that was deleted with all beneath it; `leaf_id` is the chat's from now on."""

    leaf_id: str | None


class Answer(Told):
    """An answer that is being made. There is no response where none could be begun."""

    message: ChatMessage
    response_id: str | None


class Prompt(Told):
    """What a model read, as its template wrote it."""

    prompt: str


class Snippet(Told):
    """A piece of a text around its first match; the places of matches in it, in characters."""

    text: str
    matches: list[tuple[int, int]]


class Hit(Told):
    """A title or a message in which all words of a query are."""

    kind: Literal["title", "message"]
    chat_id: str
    title: str
    message_id: str | None
    role: Role | None
    created_s: float
    snippet: Snippet


class SearchPage(Told):
    """Hits, titles first."""

    object: Literal["list"]
    data: list[Hit]
    took_s: float


class Folder(Told):
    """A folder of chats."""

    object: Literal["folder"]
    id: str
    name: str
    position: float


class FolderList(Told):
    """Every folder, by its position."""

    object: Literal["list"]
    data: list[Folder]


class Preset(Told):
    """Settings under a name."""

    object: Literal["preset"]
    id: str
    name: str
    settings: ChatSettings
    created_s: float
    updated_s: float


class PresetList(Told):
    """Every preset, by name."""

    object: Literal["list"]
    data: list[Preset]


class Attachment(Told):
    """An image or a document."""

    object: Literal["attachment"]
    id: str
    kind: Literal["image", "document"]
    name: str
    media_type: str
    size_bytes: int
    created_s: float
    width: int | None
    height: int | None
    characters: int | None


class ImportedChat(Told):
    """What became of one chat of a file."""

    place: int = Field(description="Within the file, from 0 on.")
    id: str
    title: str
    created_s: float
    updated_s: float
    message_count: int
    is_here: bool = Field(description="Whether it was here before: it is not brought again.")
    is_brought: bool
    left_out: list[str] = Field(description="What of it cannot be brought.")
    fault: str | None = Field(description="Why nothing of it can be brought.")


class Imported(Told):
    """What is in a file, and what was brought of it."""

    object: Literal["import"]
    format: Literal["paddock-chats", "chatgpt", "open-webui", "lm-studio", "sharegpt"]
    dry_run: bool
    chats: list[ImportedChat]
