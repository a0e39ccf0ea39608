"""Owns the statements that keep attachments; refuses to know what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.errors import ChatUnknown, Conflict, shown
from paddock.store.db import Database
from paddock.store.owners import mine, owner, refuse_taken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """An image or a document as it is known: without its bytes. `digest` is of those."""

    id: str
    kind: str
    name: str
    media_type: str
    size_bytes: int
    created_s: float
    digest: str
    width: int | None = None
    height: int | None = None
    characters: int | None = None

    def told(self) -> dict[str, Any]:
        """As callers get it."""
        names = [name for name in self.__dataclass_fields__ if name != "digest"]
        return {"object": "attachment", **{name: getattr(self, name) for name in names}}


class AttachmentStore:
    """The attachments of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, made: Attachment, data: bytes, text: str | None) -> tuple[Attachment, bool]:
        """Keep an attachment; whether it is new, or was there just so. Raises Conflict."""

        def work(connection: Connection) -> tuple[Attachment, bool]:
            from sqlalchemy import insert

            from paddock.store.chat_tables import attachments

            refuse_taken(connection, attachments, made.id, "attachment")
            if there := _find(connection, made.id):
                if (there.digest, there.name) == (made.digest, made.name):
                    return there, False
                raise Conflict(
                    f"There is an attachment {shown(made.id)} already. Choose another id.", current=there.told()
                )
            row = {name: getattr(made, name) for name in made.__dataclass_fields__}
            connection.execute(insert(attachments).values(**row, data=data, text=text, owner=owner()))
            return made, True

        return await self._database.run(work)

    async def get(self, attachment_id: str) -> Attachment:
        """What is known of an attachment. Raises ChatUnknown."""
        return await self._database.run(lambda connection: _found(connection, attachment_id))

    async def content(self, attachment_id: str) -> tuple[Attachment, bytes, str | None]:
        """An attachment with its bytes and its text. Raises ChatUnknown."""

        def work(connection: Connection) -> tuple[Attachment, bytes, str | None]:
            from sqlalchemy import select

            from paddock.store.chat_tables import attachments

            found = _found(connection, attachment_id)
            wanted = select(attachments.c.data, attachments.c.text).where(attachments.c.id == attachment_id)
            row = connection.execute(wanted).one()
            return found, bytes(row[0]), row[1]

        return await self._database.run(work)

    async def delete(self, attachment_id: str) -> None:
        """Forget an attachment that nothing uses. Raises ChatUnknown or Conflict."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, select

            from paddock.store.chat_tables import attachment_uses, attachments

            found = _found(connection, attachment_id)
            uses = select(attachment_uses.c.chat_id).where(attachment_uses.c.attachment_id == attachment_id)
            if user := connection.execute(uses.limit(1)).scalar():
                raise Conflict(f"The chat {shown(user)} uses this attachment. Delete it first.", current=found.told())
            connection.execute(delete(attachments).where(attachments.c.id == attachment_id))

        await self._database.run(work)


def _found(connection: Connection, attachment_id: str) -> Attachment:
    if found := _find(connection, attachment_id):
        return found
    raise ChatUnknown("attachment", attachment_id)


def _find(connection: Connection, attachment_id: str) -> Attachment | None:
    from sqlalchemy import select

    from paddock.store.chat_tables import attachments

    names = Attachment.__dataclass_fields__
    wanted = select(*(attachments.c[name] for name in names)).where(
        attachments.c.id == attachment_id, mine(attachments)
    )
    row = connection.execute(wanted).mappings().first()
    return None if row is None else Attachment(**dict(row))
