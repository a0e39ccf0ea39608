"""Owns full-text search: keeping words and finding whose they are; refuses to know how words are folded or shown.

Both databases search the table of words. SQLite does it through an FTS5 index, PostgreSQL through a GIN index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.caller import current
from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class Term:
    """What is looked for: words that follow one another, or one word, or the beginning of one."""

    words: tuple[str, ...]
    is_beginning: bool = False


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A chat whose title, or one of whose messages, has all that was looked for. `content` is JSON."""

    chat_id: str
    title: str
    created_s: float
    message_id: str | None = None
    role: str | None = None
    content: str | None = None


# Rows of words that have all that is looked for, the newest first, as many as are wanted. The order in which SQLite
# joins is told to it: it would ask the index anew for each message. Both read no more than they need of common words.
_SQLITE = (
    "FROM chat_search CROSS JOIN chat_words ON chat_words.id = chat_search.rowid {joins} "
    "WHERE chat_search MATCH :query AND {shown} ORDER BY chat_search.rowid DESC LIMIT :most"
)
_POSTGRESQL = (
    "FROM chat_words {joins} "
    "WHERE to_tsvector('simple', chat_words.words) @@ to_tsquery('simple', :query) AND {shown} "
    "ORDER BY chat_words.id DESC LIMIT :most"
)
_TITLES = ("SELECT chats.id, chats.title, chats.updated_s ", "CROSS JOIN chats", "chat_words.message_id IS NULL")
_MESSAGE = "SELECT chat_messages.id, chats.id, chats.title, chat_messages.created_s, chat_messages.role, "
_MESSAGES = (
    f"{_MESSAGE} chat_messages.content ",
    "CROSS JOIN chat_messages CROSS JOIN chats",
    "chat_messages.id = chat_words.message_id AND chat_messages.deleted_s IS NULL",
)


class ChatSearch:
    """Search over the chats of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, terms: Sequence[Term], *, limit: int, archived: str = "false") -> list[Hit]:
        """Up to `limit` hits: titles first, then messages, the newest first. Raises StoreUnusable."""

        def work(connection: Connection) -> list[Hit]:
            return _found(connection, terms, limit, archived)

        return await self._database.run(work)


def put_words(connection: Connection, chat_id: str, message_id: str | None, rows: Sequence[str]) -> None:
    """Keep the words of a title or a message in place of those it had."""
    from sqlalchemy import delete, insert

    from paddock.store.chat_tables import words

    mine = words.c.message_id.is_(None) if message_id is None else words.c.message_id == message_id
    connection.execute(delete(words).where(words.c.chat_id == chat_id, mine))
    if made := [{"chat_id": chat_id, "message_id": message_id, "words": row} for row in rows if row]:
        connection.execute(insert(words), made)


def _found(connection: Connection, terms: Sequence[Term], limit: int, archived: str) -> list[Hit]:
    if not terms:
        return []
    titles = _rows(connection, _TITLES, terms, limit, archived)
    hits = [Hit(chat_id=row[0], title=row[1], created_s=row[2]) for row in titles]
    if len(hits) == limit:
        return hits
    # The words of a long message are several rows.
    found: dict[str, Hit] = {}
    for row in _rows(connection, _MESSAGES, terms, 2 * limit, archived):
        found[row[0]] = Hit(
            message_id=row[0], chat_id=row[1], title=row[2], created_s=row[3], role=row[4], content=row[5]
        )
    return [*hits, *list(found.values())[: limit - len(hits)]]


def _rows(
    connection: Connection, what: tuple[str, str, str], terms: Sequence[Term], most: int, archived: str
) -> list[Any]:
    from sqlalchemy import text

    is_sqlite = connection.dialect.name == "sqlite"
    wanted, joins, condition = what
    shown = f"{condition} AND chats.id = chat_words.chat_id AND chats.deleted_s IS NULL"
    whose = current().owner
    if whose is not None:
        shown += " AND chats.owner = :owner"
    if archived != "any":
        shown += f" AND {'' if archived == 'true' else 'NOT '}chats.archived"
    statement = wanted + (_SQLITE if is_sqlite else _POSTGRESQL).format(joins=joins, shown=shown)
    query = _fts5(terms) if is_sqlite else _tsquery(terms)
    asked = {"query": query, "most": most, **({} if whose is None else {"owner": whose})}
    return list(connection.execute(text(statement), asked))


def _fts5(terms: Sequence[Term]) -> str:
    return " AND ".join(f'"{" ".join(term.words)}"{"*" if term.is_beginning else ""}' for term in terms)


def _tsquery(terms: Sequence[Term]) -> str:
    ends = [(term.words, ":*" if term.is_beginning else "") for term in terms]
    return " & ".join("(" + " <-> ".join(f"'{word}'" for word in one) + end + ")" for one, end in ends)
