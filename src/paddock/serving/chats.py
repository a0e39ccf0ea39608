"""Owns what becomes of a change to the page's chats: kept, found by its words, told to who watches; knows no HTTP."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from paddock.caller import current
from paddock.clock import lived_s, stamp_s
from paddock.config import Settings
from paddock.errors import FieldInvalid, shown
from paddock.protocol.chat_parts import title_of
from paddock.protocol.chat_thread import Part, text_of
from paddock.serving.attachments import Attachments
from paddock.serving.chat_answers import Answers, Maker, continued
from paddock.serving.chat_changes import Changes
from paddock.serving.responses import Responses
from paddock.store.attachments import AttachmentStore
from paddock.store.chat_answers import AnswerStore
from paddock.store.chat_folders import FolderStore
from paddock.store.chat_messages import MessageStore
from paddock.store.chat_rows import GENERATING, Chat, Message
from paddock.store.chat_words import ChatSearch, Hit
from paddock.store.chats import ChatStore
from paddock.store.db import Database
from paddock.store.folding import rows_of, snippet, terms_of

_PURGED_EVERY_S = 3600.0
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")


def new_id() -> str:
    """An id for whatever came without one."""
    return secrets.token_hex(16)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A hit of a search as it is shown."""

    hit: Hit
    snippet: str
    matches: list[tuple[int, int]]


class Chats:
    """The page's chats. Every method raises StoreUnusable where the database cannot be used."""

    def __init__(
        self,
        store: ChatStore,
        messages: MessageStore,
        search: ChatSearch,
        folders: FolderStore,
        *,
        answers: Answers,
        attachments: Attachments,
        changes: Changes,
    ) -> None:
        self._untidied = store
        self._messages = messages
        self._search = search
        self.folders = folders
        self.answers = answers
        self.attachments = attachments
        self.changes = changes
        self._tidied_s = -_PURGED_EVERY_S
        self._tidying = anyio.Lock()

    @classmethod
    def of(
        cls, settings: Settings, database: Database, responses: Responses, changes: Changes, tasks: TaskGroup
    ) -> Chats:
        """Those of a database, with answers that `responses` make in `tasks`."""
        return cls(
            ChatStore(database),
            MessageStore(database),
            ChatSearch(database),
            FolderStore(database),
            answers=Answers(AnswerStore(database), responses, changes, tasks),
            attachments=Attachments(AttachmentStore(database), settings.home, most_bytes=settings.image_most_bytes),
            changes=changes,
        )

    async def store(self) -> ChatStore:
        """The store, from which what was deleted long ago has gone."""
        if time.monotonic() - self._tidied_s > _PURGED_EVERY_S:
            async with self._tidying:
                if time.monotonic() - self._tidied_s > _PURGED_EVERY_S:
                    self._tidied_s = time.monotonic()
                    await self._untidied.purge(now_s=lived_s())
        return self._untidied

    async def create(self, chat: Chat) -> tuple[Chat, bool]:
        """Make a chat; whether it is new. Raises Conflict, ChatUnknown or FieldInvalid."""
        made, is_new = await (await self.store()).create(chat, rows_of(chat.title))
        if is_new:
            self.tell(made)
        return made, is_new

    async def patch(self, chat_id: str, changes: dict[str, Any], **revisions: int | None) -> Chat:
        """Change fields of a chat. Raises ChatUnknown, Conflict or FieldInvalid."""
        words = rows_of(changes["title"]) if "title" in changes else None
        made = await (await self.store()).patch(chat_id, changes, words=words, **revisions)
        self.tell(made)
        return made

    async def delete(self, chat_id: str) -> Chat:
        """Take a chat away, ending what is being made in it. Raises ChatUnknown."""
        store = await self.store()
        await store.get(chat_id)
        await self.answers.stop(chat_id)
        gone = await store.delete(chat_id, at_s=stamp_s())
        self.changes.tell("chat_deleted", chat_id=chat_id)
        return gone

    async def restore(self, chat_id: str) -> Chat:
        """Bring a deleted chat back. Raises ChatUnknown."""
        back = await (await self.store()).restore(chat_id)
        self.tell(back)
        return back

    async def fork(self, chat_id: str, message_id: str, *, fork_id: str, title: str) -> tuple[Chat, bool]:
        """A new chat with a copy of a branch; whether it is new. Raises ChatUnknown or Conflict."""
        now_s = time.time()
        made = Chat(id=fork_id, title=title, created_s=now_s, updated_s=now_s)
        forked, is_new = await self._messages.fork(
            chat_id,
            message_id,
            made,
            new_id=new_id,
            words_of=lambda message: rows_of(text_of(message.content)),
            title_words=rows_of(title),
        )
        self.tell(forked)
        return forked, is_new

    async def bring(self, chat: Chat, messages: list[Message]) -> bool:
        """Put a chat with all its messages in, or nothing; False where it is here. Raises Conflict or FieldInvalid."""
        if not chat.title:
            said = next((text_of(one.content) for one in messages if one.role == "user"), "")
            chat = replace(chat, title=title_of(said))
        words: dict[str | None, list[str]] = {None: list(rows_of(chat.title))}
        words |= {one.id: list(rows_of(text_of(one.content))) for one in messages}
        is_new = await self._messages.bring(chat, messages, words)
        if is_new:
            self.tell(chat)
        return is_new

    async def find(self, query: str, *, limit: int, archived: str) -> list[Found]:
        """What has all words of a query, in titles and messages."""
        terms = terms_of(query)
        hits = await self._search.find(terms, limit=limit, archived=archived)
        found: list[Found] = []
        for hit in hits:
            content: list[Part] = json.loads(hit.content) if hit.content else []
            text, matches = snippet(text_of(content) if hit.message_id else hit.title, terms)
            found.append(Found(hit=hit, snippet=text, matches=matches))
        return found

    async def message(self, chat_id: str, message_id: str) -> Message:
        """One message. Raises ChatUnknown."""
        return await self._messages.get(chat_id, message_id)

    async def add(self, message: Message, *, selects: bool = True) -> tuple[Message, bool]:
        """Add a message to a chat's tree; whether it is new. Raises ChatUnknown, Conflict or FieldInvalid."""
        text = text_of(message.content)
        title = title_of(text) if message.role == "user" else ""
        made, is_new = await self._messages.add(
            message, words=rows_of(text), title=(title, rows_of(title)), selects=selects
        )
        if is_new:
            self._tell_message(made)
        return made, is_new

    async def edit(self, chat_id: str, message_id: str, content: list[Part], *, revision: int | None = None) -> Message:
        """Put other content in place of a message's. Raises ChatUnknown, Conflict or FieldInvalid."""
        made = await self._messages.edit(
            chat_id, message_id, content, now_s=time.time(), words=rows_of(text_of(content)), revision=revision
        )
        self._tell_message(made)
        return made

    async def delete_message(self, chat_id: str, message_id: str) -> tuple[Chat, float]:
        """Take a message away with all beneath it; the chat, and when. Raises ChatUnknown."""
        at_s = stamp_s()
        chat, gone = await self._messages.delete(chat_id, message_id, at_s=at_s)
        await self.answers.stop(chat_id, {one.id for one in gone})
        self.changes.tell("message_deleted", chat_id=chat_id, message_id=message_id)
        self.tell(chat)
        return chat, at_s

    async def restore_message(self, chat_id: str, message_id: str) -> Message:
        """Bring a deleted message back, with what went with it. Raises ChatUnknown."""
        chat, back = await self._messages.restore(chat_id, message_id)
        self.tell(chat)
        self._tell_message(back)
        return back

    async def answer(
        self,
        chat_id: str,
        parent_id: str | None,
        maker: Maker,
        *,
        message_id: str,
        model: str | None,
        settings: dict[str, Any],
        selects: bool = True,
    ) -> Message:
        """Begin an answer to a message. Raises ChatUnknown, Conflict or FieldInvalid."""
        chat = await (await self.store()).get(chat_id)
        now_s = time.time()
        made, is_new = await self._messages.add(
            Message(
                id=message_id,
                chat_id=chat_id,
                parent_id=parent_id,
                role="assistant",
                model=model or chat.settings.get("model"),
                created_s=now_s,
                updated_s=now_s,
                status=GENERATING,
                response_id=maker.new_id(),
                asked={"model": model, "settings": settings, "chat_settings": chat.settings, "by": current().noted()},
                worker=self.answers.worker,
                beat_s=now_s,
            ),
            selects=selects,
        )
        return await self.answers.start(made, maker) if is_new else made

    async def go_on(self, chat_id: str, message_id: str, maker: Maker, settings: dict[str, Any]) -> Message:
        """Let an answer that has ended go on. Raises ChatUnknown, Conflict or FieldInvalid."""
        message = await self._messages.get(chat_id, message_id)
        if message.status == GENERATING:
            return message
        if message.role != "assistant" or (message.content and not continued(message.content)):
            raise FieldInvalid(
                f"continues: {shown(message_id)} is no answer that ends in text. Ask for another answer.",
                param="continues",
            )
        chat = await (await self.store()).get(chat_id)
        settings = {**message.asked.get("settings", {}), **settings}
        asked = {
            **message.asked,
            "settings": settings,
            "chat_settings": chat.settings,
            "by": current().noted(),
            "continues": True,
        }
        return await self.answers.go_on(message, maker, asked=asked, tries=0)

    def close(self) -> None:
        """Paddock is stopping: whoever watches is let go, and what is being made is left to the next one."""
        self.changes.close()
        self.answers.close()

    def tell(self, chat: Chat) -> None:
        """A chat was made or changed."""
        self.changes.tell("chat", chat_id=chat.id, revision=chat.revision)

    def _tell_message(self, message: Message) -> None:
        self.changes.tell(
            "message",
            chat_id=message.chat_id,
            message_id=message.id,
            status=message.status,
            response_id=message.response_id,
            revision=message.revision,
        )
