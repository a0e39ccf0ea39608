"""Owns the statements that read and change chats; refuses to know what settings, drafts and answers mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from paddock.clock import OFF_MOST_S
from paddock.errors import ChatUnknown, Conflict, FieldInvalid, shown
from paddock.store.chat_rows import (
    GENERATING,
    IDS_AT_ONCE,
    Chat,
    Message,
    branch_of,
    chat_of,
    chat_row,
    find_chat,
    message_of,
    parents_of,
    refuse_older,
)
from paddock.store.chat_words import put_words
from paddock.store.db import Database
from paddock.store.owners import mine, owner, refuse_taken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

RESTORABLE_S = 86400.0
Archived = Literal["false", "true", "any"]
# (pinned, updated_s, id) of the last chat of a page.
Cursor = tuple[bool, float, str]


class ChatStore:
    """The chats of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, chat: Chat, words: Sequence[str]) -> tuple[Chat, bool]:
        """Make a chat; whether it is new, or was there just so. Raises Conflict, ChatUnknown for its folder."""

        def work(connection: Connection) -> tuple[Chat, bool]:
            from sqlalchemy import insert, select

            from paddock.store.chat_tables import chats

            refuse_taken(connection, chats, chat.id, "chat")
            row = connection.execute(select(chats).where(chats.c.id == chat.id)).mappings().first()
            if row is not None:
                there = chat_of(row)
                if there.deleted_s is None and _is_same(there, chat):
                    return find_chat(connection, chat.id), False
                raise Conflict(f"There is a chat {shown(chat.id)} already. Choose another id.", current=there.told())
            refuse_foreign_folder(connection, chat.folder_id)
            connection.execute(insert(chats).values(chat_row(replace(chat, owner=owner()))))
            hold_attachments(connection, chat.id, (chat.draft or {}).get("attachments") or [])
            put_words(connection, chat.id, None, words)
            return chat, True

        return await self._database.run(work)

    async def get(self, chat_id: str) -> Chat:
        """The chat of that id. Raises ChatUnknown."""
        return await self._database.run(lambda connection: find_chat(connection, chat_id))

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Which of these chats are here."""

        def work(connection: Connection) -> set[str]:
            from sqlalchemy import select

            from paddock.store.chat_tables import chats

            found: set[str] = set()
            for start in range(0, len(ids), IDS_AT_ONCE):
                wanted = chats.c.id.in_(ids[start : start + IDS_AT_ONCE])
                found |= {
                    row[0]
                    for row in connection.execute(
                        select(chats.c.id).where(wanted, chats.c.deleted_s.is_(None), mine(chats))
                    )
                }
            return found

        return await self._database.run(work)

    async def is_seen(self, chat_id: str) -> bool:
        """Whether the caller may know of a chat, deleted or not."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import select

            from paddock.store.chat_tables import chats

            return connection.execute(select(chats.c.id).where(chats.c.id == chat_id, mine(chats))).first() is not None

        return await self._database.run(work)

    async def page(
        self,
        *,
        limit: int,
        after: Cursor | None = None,
        folder_id: str | None = None,
        archived: Archived = "false",
        is_deleted: bool = False,
    ) -> list[Chat]:
        """Up to `limit` chats in the order of the list, after a place in it. The folder "none" is no folder."""

        def work(connection: Connection) -> list[Chat]:
            from sqlalchemy import and_, or_, select

            from paddock.store.chat_tables import chats, messages

            wanted = select(chats).where(chats.c.deleted_s.is_not(None) if is_deleted else chats.c.deleted_s.is_(None))
            wanted = wanted.where(mine(chats))
            if archived != "any":
                wanted = wanted.where(chats.c.archived.is_(archived == "true"))
            if folder_id is not None:
                wanted = wanted.where(chats.c.folder_id == (None if folder_id == "none" else folder_id))
            if after is not None:
                pinned, updated_s, last_id = after
                here = chats.c.pinned.is_(pinned)
                later = or_(chats.c.updated_s < updated_s, and_(chats.c.updated_s == updated_s, chats.c.id < last_id))
                beyond = and_(here, later)
                wanted = wanted.where(or_(beyond, chats.c.pinned.is_(False)) if pinned else beyond)
            ordered = wanted.order_by(chats.c.pinned.desc(), chats.c.updated_s.desc(), chats.c.id.desc()).limit(limit)
            busy = select(messages.c.chat_id).where(messages.c.status == GENERATING, messages.c.deleted_s.is_(None))
            running = {row[0] for row in connection.execute(busy)}
            rows = connection.execute(ordered).mappings()
            return [chat_of(row, is_generating=row["id"] in running) for row in rows]

        return await self._database.run(work)

    async def read(
        self, chat_id: str, *, leaf_id: str | None = None, has_messages: bool = True
    ) -> tuple[Chat, list[Message], dict[str, list[str]] | None]:
        """A chat with its messages, oldest first: all, or those of a branch with the siblings of each.

        The leaf "shown" is the chat's own. Raises ChatUnknown.
        """

        def work(connection: Connection) -> tuple[Chat, list[Message], dict[str, list[str]] | None]:
            from sqlalchemy import select

            from paddock.store.chat_tables import messages

            chat = find_chat(connection, chat_id)
            leaf = chat.leaf_id if leaf_id == "shown" else leaf_id
            if not has_messages or (leaf is None and leaf_id is not None):
                return chat, [], None
            wanted = select(messages).where(messages.c.chat_id == chat_id, messages.c.deleted_s.is_(None))
            rows = connection.execute(wanted.order_by(messages.c.number)).mappings()
            if leaf is None:
                return chat, [message_of(row) for row in rows], None
            parents = parents_of(connection, chat_id)
            branch = set(branch_of(parents, leaf))
            children: dict[str | None, list[str]] = {}
            for child, parent in parents.items():
                children.setdefault(parent, []).append(child)
            siblings = {one: children[parents[one]] for one in branch}
            return chat, [message_of(row) for row in rows if row["id"] in branch], siblings

        return await self._database.run(work)

    async def patch(
        self,
        chat_id: str,
        changes: dict[str, Any],
        *,
        revision: int | None = None,
        draft_revision: int | None = None,
        words: Sequence[str] | None = None,
    ) -> Chat:
        """Change fields of a chat; `words` are those of a new title. Raises ChatUnknown or Conflict."""

        def work(connection: Connection) -> Chat:
            from sqlalchemy import update

            from paddock.store.chat_tables import chats

            chat = find_chat(connection, chat_id, locks=True)
            refuse_older(revision, chat.revision, chat.told(), "chat")
            refuse_older(draft_revision, chat.draft_revision, chat.told(), "draft")
            if "folder_id" in changes:
                refuse_foreign_folder(connection, changes["folder_id"])
            if changes.get("leaf_id") is not None:
                branch_of(parents_of(connection, chat_id), changes["leaf_id"])
            made = replace(chat, **changes)
            if "draft" in changes:
                made = replace(made, draft_revision=chat.draft_revision + 1)
                hold_attachments(connection, chat_id, (made.draft or {}).get("attachments") or [])
            if changes.keys() - {"draft"}:
                made = replace(made, revision=chat.revision + 1)
            connection.execute(update(chats).where(chats.c.id == chat_id).values(chat_row(made)))
            if words is not None:
                put_words(connection, chat_id, None, words)
            return made

        return await self._database.run(work)

    async def delete(self, chat_id: str, *, at_s: float) -> Chat:
        """Take a chat away; it can be restored for a day. Raises ChatUnknown."""
        return await self._database.run(lambda connection: _mark(connection, chat_id, at_s))

    async def restore(self, chat_id: str) -> Chat:
        """Bring a deleted chat back. Raises ChatUnknown."""
        return await self._database.run(lambda connection: _mark(connection, chat_id, None))

    async def purge(self, *, now_s: float) -> None:
        """Forget what was deleted more than two days ago, and attachments of that age that nothing holds."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, select

            from paddock.store.chat_tables import attachment_uses, attachments, chats, messages

            # A jump of the clock may have taken as much as that of what it was to stay.
            before_s = now_s - RESTORABLE_S - OFF_MOST_S
            connection.execute(delete(chats).where(chats.c.deleted_s < before_s))
            connection.execute(delete(messages).where(messages.c.deleted_s < before_s))
            held = select(attachment_uses.c.attachment_id)
            connection.execute(
                delete(attachments).where(attachments.c.created_s < before_s, attachments.c.id.not_in(held))
            )

        await self._database.run(work)


def _is_same(there: Chat, made: Chat) -> bool:
    names = ("title", "folder_id", "pinned", "archived", "settings", "draft")
    # The first message gives a title to a chat that was made without one.
    return all(getattr(there, name) == getattr(made, name) for name in names if name != "title" or made.title)


def _mark(connection: Connection, chat_id: str, deleted_s: float | None) -> Chat:
    from sqlalchemy import update

    from paddock.store.chat_tables import chats

    chat = find_chat(connection, chat_id, is_deleted=deleted_s is None, locks=True)
    made = replace(chat, deleted_s=deleted_s, revision=chat.revision + 1)
    connection.execute(update(chats).where(chats.c.id == chat_id).values(deleted_s=deleted_s, revision=made.revision))
    return made


def refuse_foreign_folder(connection: Connection, folder_id: str | None) -> None:
    """Raises ChatUnknown where a chat is to lie in a folder that is not there."""
    from sqlalchemy import select

    from paddock.store.chat_tables import folders

    if folder_id is None:
        return
    if connection.execute(select(folders.c.id).where(folders.c.id == folder_id, mine(folders))).first() is None:
        raise ChatUnknown("folder", folder_id)


def hold_attachments(connection: Connection, chat_id: str, ids: Sequence[str]) -> None:
    """Keep attachments as long as the chat. Raises FieldInvalid where one is not there."""
    from sqlalchemy import insert, select

    from paddock.store.chat_tables import attachment_uses, attachments

    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return
    known = select(attachments.c.id).where(attachments.c.id.in_(wanted), mine(attachments))
    there = {row[0] for row in connection.execute(known)}
    if missing := [one for one in wanted if one not in there]:
        raise FieldInvalid(
            f"There is no attachment {shown(missing[0])}: send it to POST /api/attachments first.",
            param="attachment_id",
        )
    uses = select(attachment_uses.c.attachment_id).where(attachment_uses.c.chat_id == chat_id)
    held = {row[0] for row in connection.execute(uses)}
    if new := [{"attachment_id": one, "chat_id": chat_id} for one in wanted if one not in held]:
        connection.execute(insert(attachment_uses), new)


def encoded(value: Any) -> str:
    """JSON as the columns hold it."""
    return json.dumps(value)
