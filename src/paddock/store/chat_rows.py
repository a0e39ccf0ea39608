"""Owns chats and messages as rows become them, and the looks that several statements share; changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paddock.errors import ChatUnknown, Conflict, FieldInvalid, shown
from paddock.store.owners import mine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

GENERATING = "generating"
MESSAGES_MOST = 100_000
# As many as both databases take in one list of values.
IDS_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One chat without its messages. Times are seconds since 1970."""

    id: str
    title: str = ""
    folder_id: str | None = None
    created_s: float = 0.0
    updated_s: float = 0.0
    pinned: bool = False
    archived: bool = False
    deleted_s: float | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    draft: dict[str, Any] | None = None
    leaf_id: str | None = None
    revision: int = 1
    draft_revision: int = 0
    message_count: int = 0
    is_generating: bool = False
    owner: str = ""

    def told(self) -> dict[str, Any]:
        """As callers get it."""
        names = [name for name in self.__dataclass_fields__ if name != "owner"]
        return {"object": "chat", **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. `base` is what stood there before the response that makes it now."""

    id: str
    chat_id: str
    parent_id: str | None
    role: str
    model: str | None = None
    content: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    base: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    created_s: float = 0.0
    updated_s: float = 0.0
    revision: int = 1
    status: str = "complete"
    response_id: str | None = None
    usage: dict[str, Any] | None = None
    timings: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    number: int = 0
    deleted_s: float | None = None
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    worker: str | None = None
    beat_s: float | None = None
    tries: int = 0

    def told(self) -> dict[str, Any]:
        """As callers get it."""
        names = [name for name in self.__dataclass_fields__ if name not in _OWN]
        return {"object": "message", **{name: getattr(self, name) for name in names}}


_OWN = ("number", "deleted_s", "asked", "worker", "beat_s", "tries")
_CHAT_JSON = ("settings", "draft")
_MESSAGE_JSON = ("content", "base", "usage", "timings", "error", "asked")


def chat_row(chat: Chat) -> dict[str, Any]:
    """The row of a chat."""
    row = {name: getattr(chat, name) for name in chat.__dataclass_fields__ if name != "is_generating"}
    return {**row, **{name: json.dumps(row[name]) for name in _CHAT_JSON}}


def message_row(message: Message) -> dict[str, Any]:
    """The row of a message."""
    row = {name: getattr(message, name) for name in message.__dataclass_fields__}
    return {**row, **{name: json.dumps(row[name]) for name in _MESSAGE_JSON}}


def chat_of(row: RowMapping, *, is_generating: bool = False) -> Chat:
    """The chat of a row."""
    read = {name: json.loads(row[name]) for name in _CHAT_JSON}
    return Chat(**{**dict(row), **read}, is_generating=is_generating)


def message_of(row: RowMapping) -> Message:
    """The message of a row."""
    read = {name: json.loads(row[name]) for name in _MESSAGE_JSON}
    return Message(**{**dict(row), **read})


def find_chat(connection: Connection, chat_id: str, *, is_deleted: bool = False, locks: bool = False) -> Chat:
    """The chat of that id. `locks` keeps other writers of it waiting. Raises ChatUnknown."""
    from sqlalchemy import exists, select

    from paddock.store.chat_tables import chats, messages

    wanted = select(chats).where(chats.c.id == chat_id, mine(chats))
    row = connection.execute(wanted.with_for_update() if locks else wanted).mappings().first()
    if row is None or (row["deleted_s"] is not None) != is_deleted:
        raise ChatUnknown("deleted chat" if is_deleted else "chat", chat_id)
    busy = exists().where(
        messages.c.chat_id == chat_id, messages.c.status == GENERATING, messages.c.deleted_s.is_(None)
    )
    return chat_of(row, is_generating=bool(connection.execute(select(busy)).scalar()))


def find_message(connection: Connection, chat_id: str, message_id: str, *, is_deleted: bool = False) -> Message:
    """The message of that id in that chat. Raises ChatUnknown."""
    from sqlalchemy import select

    from paddock.store.chat_tables import messages

    wanted = select(messages).where(messages.c.id == message_id, messages.c.chat_id == chat_id)
    row = connection.execute(wanted).mappings().first()
    if row is None or (row["deleted_s"] is not None) != is_deleted:
        raise ChatUnknown("deleted message" if is_deleted else "message", message_id)
    return message_of(row)


def refuse_older(sent: int | None, is_now: int, current: dict[str, Any], what: str) -> None:
    """Raises Conflict where a change was made from an older state than what is there."""
    if sent is not None and sent != is_now:
        raise Conflict(
            f"The {what} was changed meanwhile: revision {sent} was sent, and {is_now} is there. "
            "Look at 'current', and send the change again with its revision.",
            current=current,
        )


def parents_of(connection: Connection, chat_id: str) -> dict[str, str | None]:
    """The parent of every message of a chat that is not deleted, by id, in the order of making."""
    from sqlalchemy import select

    from paddock.store.chat_tables import messages

    wanted = select(messages.c.id, messages.c.parent_id).where(
        messages.c.chat_id == chat_id, messages.c.deleted_s.is_(None)
    )
    return {row[0]: row[1] for row in connection.execute(wanted.order_by(messages.c.number))}


def branch_of(parents: dict[str, str | None], leaf_id: str) -> list[str]:
    """The ids from the root to a message. Raises ChatUnknown where it is none of them."""
    branch: list[str] = []
    at: str | None = leaf_id
    if leaf_id not in parents:
        raise ChatUnknown("message", leaf_id)
    while at is not None and at in parents and len(branch) <= len(parents):
        branch.append(at)
        at = parents[at]
    return branch[::-1]


def beneath(parents: dict[str, str | None], message_id: str) -> list[str]:
    """A message and all messages beneath it."""
    children: dict[str | None, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    found: list[str] = []
    open_ids = [message_id]
    while open_ids:
        at = open_ids.pop()
        found.append(at)
        open_ids += children.get(at, [])
    return found


def newest_leaf(parents: dict[str, str | None], beneath_id: str | None) -> str | None:
    """The end of the branch that goes on from a message with the newest child each time; None in an empty chat."""
    newest: dict[str | None, str] = {parent: child for child, parent in parents.items()}
    at = beneath_id
    while at in newest:
        at = newest[at]
    return at


def refuse_full(chat: Chat, adding: int) -> None:
    """Raises FieldInvalid where a chat would hold more messages than a chat may."""
    if chat.message_count + adding > MESSAGES_MOST:
        raise FieldInvalid(
            f"The chat {shown(chat.id)} has {chat.message_count} messages, and may have {MESSAGES_MOST}. "
            "Begin a new one."
        )
