"""Owns the statements that read and change a chat's tree of messages; refuses to know how answers come about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paddock.errors import ChatUnknown, Conflict, FieldInvalid, shown
from paddock.store.chat_rows import (
    GENERATING,
    IDS_AT_ONCE,
    Chat,
    Message,
    beneath,
    branch_of,
    chat_row,
    find_chat,
    find_message,
    message_of,
    message_row,
    newest_leaf,
    parents_of,
    refuse_full,
    refuse_older,
)
from paddock.store.chat_words import put_words
from paddock.store.chats import hold_attachments, refuse_foreign_folder
from paddock.store.db import Database
from paddock.store.owners import owner, refuse_taken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class MessageStore:
    """The messages of one database. Every method raises ChatUnknown, and StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, chat_id: str, message_id: str) -> Message:
        """One message of a chat."""

        def work(connection: Connection) -> Message:
            find_chat(connection, chat_id)
            return find_message(connection, chat_id, message_id)

        return await self._database.run(work)

    async def add(
        self,
        message: Message,
        *,
        words: Sequence[str] = (),
        title: tuple[str, Sequence[str]] | None = None,
        selects: bool = True,
    ) -> tuple[Message, bool]:
        """Add a message to the tree; whether it is new, or was there just so.

        Args:
            message: with everything but its number.
            words: what it can be found by.
            title: of the chat, where it has none, with its words.
            selects: whether the branch that ends here is shown from now on.

        Raises:
            Conflict: another one has its id.
            FieldInvalid: its parent is of another chat, or the chat is full.
        """

        def work(connection: Connection) -> tuple[Message, bool]:
            chat = find_chat(connection, message.chat_id, locks=True)
            if there := _of_id(connection, message.id):
                if _is_same(there, message):
                    return there, False
                is_here = there.chat_id == chat.id
                raise Conflict(
                    f"There is a message {shown(message.id)} already. Choose another id.",
                    current=there.told() if is_here else {},
                )
            made = _insert(connection, chat, message)
            put_words(connection, chat.id, made.id, words)
            _touch(connection, chat, made, title if not chat.title else None, selects=selects)
            return made, True

        return await self._database.run(work)

    async def edit(
        self,
        chat_id: str,
        message_id: str,
        content: list[dict[str, Any]],
        *,
        now_s: float,
        words: Sequence[str],
        revision: int | None = None,
    ) -> Message:
        """Put other content in place of a message's. Raises Conflict while it is generated."""

        def work(connection: Connection) -> Message:
            from sqlalchemy import update

            from paddock.store.chat_tables import messages

            chat = find_chat(connection, chat_id, locks=True)
            there = find_message(connection, chat_id, message_id)
            if there.status == GENERATING:
                raise Conflict("This message is being generated. Stop it first.", current=there.told())
            refuse_older(revision, there.revision, there.told(), "message")
            hold_attachments(connection, chat_id, attachments_in(content))
            made = replace(there, content=content, base=[], revision=there.revision + 1, updated_s=now_s)
            connection.execute(update(messages).where(messages.c.id == message_id).values(message_row(made)))
            put_words(connection, chat_id, message_id, words)
            _touch(connection, chat, made, None, selects=False, adds=0)
            return made

        return await self._database.run(work)

    async def delete(self, chat_id: str, message_id: str, *, at_s: float) -> tuple[Chat, list[Message]]:
        """Take a message away with all beneath it; the chat afterwards, and what went."""

        def work(connection: Connection) -> tuple[Chat, list[Message]]:
            chat = find_chat(connection, chat_id, locks=True)
            there = find_message(connection, chat_id, message_id)
            parents = parents_of(connection, chat_id)
            gone = beneath(parents, message_id)
            taken = _read(connection, gone)
            _set(connection, gone, deleted_s=at_s)
            leaf_id = chat.leaf_id
            if leaf_id in gone:
                left = {child: parent for child, parent in parents.items() if child not in set(gone)}
                leaf_id = newest_leaf(left, there.parent_id) or there.parent_id
            return _save(connection, chat, leaf_id=leaf_id, message_count=chat.message_count - len(gone)), taken

        return await self._database.run(work)

    async def restore(self, chat_id: str, message_id: str) -> tuple[Chat, Message]:
        """Bring a deleted message back, with what was deleted with it."""

        def work(connection: Connection) -> tuple[Chat, Message]:
            from sqlalchemy import select, update

            from paddock.store.chat_tables import messages

            chat = find_chat(connection, chat_id, locks=True)
            there = find_message(connection, chat_id, message_id, is_deleted=True)
            if there.parent_id is not None:
                find_message(connection, chat_id, there.parent_id)
            together = (messages.c.chat_id == chat_id, messages.c.deleted_s == there.deleted_s)
            back = [row[0] for row in connection.execute(select(messages.c.id).where(*together))]
            connection.execute(update(messages).where(*together).values(deleted_s=None))
            leaf_id = newest_leaf(parents_of(connection, chat_id), message_id) or message_id
            made = _save(connection, chat, leaf_id=leaf_id, message_count=chat.message_count + len(back))
            return made, replace(there, deleted_s=None)

        return await self._database.run(work)

    async def bring(self, chat: Chat, made: Sequence[Message], words: Mapping[str | None, Sequence[str]]) -> bool:
        """Put a chat with all its messages in, as `bring` does."""
        return await self._database.run(lambda connection: bring(connection, chat, made, words))

    async def fork(
        self,
        chat_id: str,
        message_id: str,
        made: Chat,
        *,
        new_id: Callable[[], str],
        words_of: Callable[[Message], Sequence[str]],
        title_words: Sequence[str],
    ) -> tuple[Chat, bool]:
        """A new chat with copies of the messages from the root to one; settings and folder are those of the old."""

        def work(connection: Connection) -> tuple[Chat, bool]:
            from sqlalchemy import insert

            from paddock.store.chat_tables import chats, messages

            chat = find_chat(connection, chat_id)
            branch = _read(connection, branch_of(parents_of(connection, chat_id), message_id))
            if any(one.status == GENERATING for one in branch):
                raise Conflict("This branch is being generated. Stop it, or wait for its end.", current=chat.told())
            refuse_taken(connection, chats, made.id, "chat")
            if _has_id(connection, made.id):
                return find_chat(connection, made.id), False
            copies: list[Message] = []
            for place, one in enumerate(branch):
                parent_id = copies[-1].id if copies else None
                copies.append(replace(one, id=new_id(), chat_id=made.id, parent_id=parent_id, number=place + 1))
            forked = replace(
                made,
                settings=chat.settings,
                folder_id=chat.folder_id,
                leaf_id=copies[-1].id,
                message_count=len(copies),
                owner=chat.owner,
            )
            connection.execute(insert(chats).values(chat_row(forked)))
            connection.execute(insert(messages), [message_row(copy) for copy in copies])
            hold_attachments(connection, made.id, [one for copy in copies for one in attachments_in(copy.content)])
            put_words(connection, made.id, None, title_words)
            for copy in copies:
                put_words(connection, made.id, copy.id, words_of(copy))
            return forked, True

        return await self._database.run(work)


def bring(
    connection: Connection, chat: Chat, messages: Sequence[Message], words: Mapping[str | None, Sequence[str]]
) -> bool:
    """Put a chat with all its messages in; False where it is there. `words` are by message, and of the title by None.

    One that was deleted is put in anew. Raises Conflict where another chat has a message's id, FieldInvalid.
    """
    from sqlalchemy import delete, insert, select

    from paddock.store.chat_tables import chats
    from paddock.store.chat_tables import messages as table

    refuse_taken(connection, chats, chat.id, "chat")
    there = connection.execute(select(chats.c.deleted_s).where(chats.c.id == chat.id)).first()
    if there is not None and there[0] is None:
        return False
    if there is not None:
        connection.execute(delete(chats).where(chats.c.id == chat.id))
    refuse_foreign_folder(connection, chat.folder_id)
    if taken := _read(connection, [one.id for one in messages]):
        raise Conflict(f"The message {shown(taken[0].id)} is in another chat already.", current={})
    connection.execute(insert(chats).values(chat_row(replace(chat, owner=owner()))))
    for start in range(0, len(messages), IDS_AT_ONCE):
        connection.execute(insert(table), [message_row(one) for one in messages[start : start + IDS_AT_ONCE]])
    hold_attachments(connection, chat.id, [one for made in messages for one in attachments_in(made.content)])
    for message_id, found_by in words.items():
        put_words(connection, chat.id, message_id, found_by)
    return True


def attachments_in(content: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of the attachments that a message's parts name."""
    return [part["attachment_id"] for part in content if "attachment_id" in part]


def path_to(connection: Connection, chat_id: str, message_id: str | None) -> list[Message]:
    """The messages from the root to one, in order; none for no message. Raises ChatUnknown."""
    if message_id is None:
        return []
    return _read(connection, branch_of(parents_of(connection, chat_id), message_id))


def _insert(connection: Connection, chat: Chat, message: Message) -> Message:
    from sqlalchemy import func, insert, select

    from paddock.store.chat_tables import messages

    refuse_full(chat, 1)
    if message.parent_id is not None:
        try:
            find_message(connection, chat.id, message.parent_id)
        except ChatUnknown as error:
            raise FieldInvalid(
                f"parent_id: there is no message {shown(message.parent_id)} in this chat.", param="parent_id"
            ) from error
    hold_attachments(connection, chat.id, attachments_in(message.content))
    last = connection.execute(select(func.max(messages.c.number)).where(messages.c.chat_id == chat.id)).scalar()
    made = replace(message, number=(last or 0) + 1)
    connection.execute(insert(messages).values(message_row(made)))
    return made


def _touch(
    connection: Connection,
    chat: Chat,
    message: Message,
    title: tuple[str, Sequence[str]] | None,
    *,
    selects: bool,
    adds: int = 1,
) -> None:
    """The chat after a message was added or changed: moved to the front, with its leaf and, at first, its title."""
    changes: dict[str, Any] = {"updated_s": message.updated_s, "message_count": chat.message_count + adds}
    if selects:
        changes["leaf_id"] = message.id
    if title and title[0]:
        changes["title"] = title[0]
        put_words(connection, chat.id, None, title[1])
    _save(connection, chat, **changes)


def _save(connection: Connection, chat: Chat, **changes: Any) -> Chat:
    from sqlalchemy import update

    from paddock.store.chat_tables import chats

    made = replace(chat, **changes, revision=chat.revision + 1)
    connection.execute(update(chats).where(chats.c.id == chat.id).values(chat_row(made)))
    return made


def _of_id(connection: Connection, message_id: str) -> Message | None:
    found = _read(connection, [message_id])
    return found[0] if found else None


def _has_id(connection: Connection, chat_id: str) -> bool:
    from sqlalchemy import select

    from paddock.store.chat_tables import chats

    return connection.execute(select(chats.c.id).where(chats.c.id == chat_id)).first() is not None


def _read(connection: Connection, ids: Sequence[str]) -> list[Message]:
    """The messages of these ids, in that order."""
    from sqlalchemy import select

    from paddock.store.chat_tables import messages

    found: dict[str, Message] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        wanted = select(messages).where(messages.c.id.in_(ids[start : start + IDS_AT_ONCE]))
        found |= {row["id"]: message_of(row) for row in connection.execute(wanted).mappings()}
    return [found[one] for one in ids if one in found]


def _set(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    from sqlalchemy import update

    from paddock.store.chat_tables import messages

    for start in range(0, len(ids), IDS_AT_ONCE):
        connection.execute(update(messages).where(messages.c.id.in_(ids[start : start + IDS_AT_ONCE])).values(**values))


def _is_same(there: Message, made: Message) -> bool:
    names = ("chat_id", "parent_id", "role")
    same = all(getattr(there, name) == getattr(made, name) for name in names) and _asked(there) == _asked(made)
    return same and there.deleted_s is None and (bool(made.asked) or there.content == made.content)


def _asked(message: Message) -> dict[str, Any]:
    """What was asked for, whatever the chat's settings were meanwhile, and by whom of its owner's."""
    return {name: value for name, value in message.asked.items() if name not in ("chat_settings", "by")}
