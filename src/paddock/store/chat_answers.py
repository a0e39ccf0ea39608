"""Owns the statements by which an answer is begun, written down while it comes, and settled; knows no engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paddock.errors import Conflict
from paddock.store.chat_messages import path_to
from paddock.store.chat_rows import GENERATING, Chat, Message, find_chat, find_message, message_of, message_row
from paddock.store.chat_words import put_words
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What an attachment adds to a prompt: an image's bytes, or a document's text."""

    name: str
    media_type: str
    data: bytes = b""
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Thread:
    """What an answer is made from: the messages before it, in order, and what they attach, by id."""

    chat: Chat
    messages: list[Message]
    attached: dict[str, Attached]


class AnswerStore:
    """The answers of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def thread(self, chat_id: str, parent_id: str | None) -> Thread:
        """What an answer to that message is made from. Raises ChatUnknown."""

        def work(connection: Connection) -> Thread:
            chat = find_chat(connection, chat_id)
            messages = path_to(connection, chat_id, parent_id)
            ids = {part["attachment_id"] for one in messages for part in one.content if "attachment_id" in part}
            return Thread(chat=chat, messages=messages, attached=_attached(connection, sorted(ids)))

        return await self._database.run(work)

    async def go_on(self, message: Message, *, worker: str, now_s: float, **changes: Any) -> Message:
        """Let a message that has ended, or whose maker is gone, be generated from here on.

        Raises:
            ChatUnknown: it is not there any more.
            Conflict: it is being generated, by another than `message` tells.
        """

        def work(connection: Connection) -> Message:
            find_chat(connection, message.chat_id, locks=True)
            there = find_message(connection, message.chat_id, message.id)
            if (there.status, there.worker, there.response_id) != (
                message.status,
                message.worker,
                message.response_id,
            ):
                raise Conflict("This message is being generated already.", current=there.told())
            made = replace(
                there,
                status=GENERATING,
                error=None,
                usage=None,
                timings=None,
                worker=worker,
                beat_s=now_s,
                updated_s=now_s,
                revision=there.revision + 1,
                **changes,
            )
            _put(connection, made)
            return made

        return await self._database.run(work)

    async def write_down(
        self, contents: dict[str, list[dict[str, Any]] | None], *, worker: str, now_s: float, leaves: bool = False
    ) -> None:
        """Keep what came so far of answers under way, by message id; None where nothing came since.

        With `leaves` they are anyone's to go on with from now on.
        """

        def work(connection: Connection) -> None:
            from sqlalchemy import update

            from paddock.store.chat_tables import messages

            for message_id, content in contents.items():
                values: dict[str, Any] = {"worker": None, "beat_s": None} if leaves else {"beat_s": now_s}
                if content is not None:
                    values["content"] = json.dumps(content)
                mine = (messages.c.id == message_id, messages.c.worker == worker, messages.c.status == GENERATING)
                connection.execute(update(messages).where(*mine).values(**values))

        await self._database.run(work)

    async def settle(self, message: Message, words: Sequence[str], **outcome: Any) -> Message | None:
        """Keep what became of an answer; None where the message is not there any more, or another's by now."""

        def work(connection: Connection) -> Message | None:
            from sqlalchemy import select, update

            from paddock.store.chat_tables import chats, messages

            row = connection.execute(select(messages).where(messages.c.id == message.id)).mappings().first()
            there = message_of(row) if row is not None else None
            if there is None or there.worker != message.worker or there.response_id != message.response_id:
                return None
            made = replace(there, **outcome, base=[], worker=None, beat_s=None, revision=there.revision + 1)
            _put(connection, made)
            put_words(connection, made.chat_id, made.id, words)
            moved = update(chats).where(chats.c.id == made.chat_id)
            connection.execute(moved.values(updated_s=made.updated_s, revision=chats.c.revision + 1))
            return made

        return await self._database.run(work)

    async def unfinished(self) -> list[Message]:
        """Every message that is generated, or was when its process died."""

        def work(connection: Connection) -> list[Message]:
            from sqlalchemy import select

            from paddock.store.chat_tables import chats, messages

            wanted = (
                select(messages)
                .join(chats, chats.c.id == messages.c.chat_id)
                .where(messages.c.status == GENERATING, messages.c.deleted_s.is_(None), chats.c.deleted_s.is_(None))
            )
            return [message_of(row) for row in connection.execute(wanted.order_by(messages.c.created_s)).mappings()]

        return await self._database.run(work)


def _put(connection: Connection, message: Message) -> None:
    from sqlalchemy import update

    from paddock.store.chat_tables import messages

    connection.execute(update(messages).where(messages.c.id == message.id).values(message_row(message)))


def _attached(connection: Connection, ids: Sequence[str]) -> dict[str, Attached]:
    from sqlalchemy import select

    from paddock.store.chat_tables import attachments

    if not ids:
        return {}
    wanted = select(attachments).where(attachments.c.id.in_(ids))
    return {
        row["id"]: Attached(
            name=row["name"],
            media_type=row["media_type"],
            data=bytes(row["data"]) if row["kind"] == "image" else b"",
            text=row["text"],
        )
        for row in connection.execute(wanted).mappings()
    }
