"""Owns what the routes of collections answer, for the API's description; refuses to make any of it."""

from __future__ import annotations

from typing import Literal

from paddock.api.described import Told


class Collection(Told):
    """A collection. `states` counts its documents; `embedded` of its `passages` are found by meaning."""

    object: Literal["collection"]
    id: str
    name: str
    folder: str | None
    documents: int
    passages: int
    embedded: int
    size_bytes: int
    states: dict[str, int]
    created_s: float
    changed_s: float


class CollectionList(Told):
    """`GET /api/knowledge`. `note` says why passages are found by words alone; "" where by meaning too."""

    object: Literal["list"]
    data: list[Collection]
    note: str


class Document(Told):
    """A document: `state` is waiting, reading, embedding, ready, failed or cancelled."""

    object: Literal["document"]
    id: str
    collection_id: str
    name: str
    size_bytes: int
    state: Literal["waiting", "reading", "embedding", "ready", "failed", "cancelled"]
    error: str
    pages: int | None
    characters: int
    passages: int
    embedded: int
    model: str
    created_s: float
    changed_s: float


class CollectionWhole(Collection):
    """`GET /api/knowledge/{id}`."""

    data: list[Document]
    note: str


class Passage(Told):
    """A passage: characters `first` to `last` of its document's text."""

    id: int
    collection_id: str
    document_id: str
    document: str
    number: int
    page: int | None
    section: str
    first: int
    last: int
    text: str


class FoundPassage(Passage):
    """A passage that was found, and its rank in each finding."""

    score: float
    words_rank: int | None
    meaning_rank: int | None


class FoundPassages(Told):
    """`POST /api/knowledge/search`, the best first."""

    object: Literal["list"]
    data: list[FoundPassage]
    note: str


class PassageView(Told):
    """`GET /api/knowledge/passages/{number}`: passages in the document's order, that of `id` among them."""

    object: Literal["passage"]
    id: int
    data: list[Passage]


class KnowledgeRemoved(Told):
    """What was removed."""

    id: str
    deleted: Literal[True]


class Counted(Told):
    """How many documents it was about."""

    documents: int


class Synced(Told):
    """What became of a folder's files; `left_out` names those that cannot be read, and why."""

    object: Literal["synced"]
    added: int
    changed: int
    removed: int
    same: int
    left_out: list[str]
