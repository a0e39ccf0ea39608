"""Owns finding passages by words and by meaning at once, and putting both findings into one order.

The order is by reciprocal rank: a passage counts 1 / (60 + its rank) in each finding that has it (Cormack, Clarke,
Büttcher 2009). Refuses to know how either finding is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paddock.knowledge.embedding import Embedder, NotEmbedded
from paddock.store.folding import rows_of
from paddock.store.passages import Found, PassageStore

Way = Literal["both", "words", "meaning"]
_DEEP = 50
_RANK_CONSTANT = 60
_WORDS_MOST = 64
_QUERY_CHARACTERS = 2000
# Words that stand everywhere and say nothing of what is looked for, in English and German.
_EMPTY_WORDS = """
a an and are as at be but by can do does for from how i if in is it its me my no not of on or our should so
that the their them then there these they this to was we were what when where which who why will with would
you your aber als am an auf aus bei bin bis da das dass dem den der des die ein eine einem einen einer es
fur hat ich ihr im ist ja kann man mein mit nach nicht noch nur oder sich sie sind soll und uns vom von vor
wann warum was wenn wer wie wir wird wo zu zum zur
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
NO_MODEL = "No embedding model is set (the setting knowledge_model): passages are found by their words alone."
OTHER_WIDTH = (
    "The model of this name is another one than before. Passages are embedded anew, at the latest with the next start; "
    "until then they are found by their words."
)
NO_VECTORS = "This database compares no vectors: passages are found by their words alone."


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that was found, and its rank in each finding; None where that has it not."""

    passage: Found
    score: float
    words_rank: int | None
    meaning_rank: int | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The best passages first. `note` says why none was looked for by its meaning; "" where that was done.

    `other_bytes` is how large a vector of the model is now, where there are some of another size; else 0.
    """

    hits: Sequence[Hit]
    note: str
    other_bytes: int = 0


def fused(*findings: Sequence[int]) -> list[tuple[int, float]]:
    """What several findings have, the best first, with its score; equals in the order in which they were met."""
    scores: dict[int, float] = {}
    for finding in findings:
        for rank, number in enumerate(finding, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda one: -one[1])


@dataclass(frozen=True, kw_only=True)
class Searcher:
    """Finds passages of one paddock. `has_vectors` is whether its database compares vectors."""

    passages: PassageStore
    embedder: Embedder
    has_vectors: bool

    @property
    def why_words_alone(self) -> str:
        """Why nothing is found by its meaning here; "" where it is."""
        return NO_VECTORS if not self.has_vectors else "" if self.embedder.model else NO_MODEL

    async def find(self, collections: Sequence[str], query: str, *, limit: int, way: Way = "both") -> Findings:
        """Up to `limit` passages of collections that the caller was shown. Raises StoreUnusable."""
        query = query[:_QUERY_CHARACTERS]
        folded = _telling(" ".join(rows_of(query)).split())
        by_words = await self.passages.by_words(collections, folded, _DEEP) if way != "meaning" else []
        by_meaning: list[int] = []
        other_bytes = 0
        note = self.why_words_alone if way != "words" else ""
        if way != "words" and not note:
            try:
                (vector,) = await self.embedder.vectors([query], tries=2)
                by_meaning = await self.passages.nearest(collections, self.embedder.model, vector, _DEEP)
                if len(by_meaning) < limit and await self.passages.has_other_widths(
                    collections, self.embedder.model, vector
                ):
                    other_bytes, note = len(vector), OTHER_WIDTH
            except NotEmbedded as error:
                note = f"Passages are found by their words alone: {error}"
        best = fused(by_words, by_meaning)[:limit]
        scores = dict(best)
        told = await self.passages.told([number for number, _ in best])
        return Findings(
            note=note,
            other_bytes=other_bytes,
            hits=[
                Hit(
                    passage=one,
                    score=scores[one.id],
                    words_rank=by_words.index(one.id) + 1 if one.id in by_words else None,
                    meaning_rank=by_meaning.index(one.id) + 1 if one.id in by_meaning else None,
                )
                for one in told
            ],
        )


def _telling(words: Sequence[str]) -> list[str]:
    """The words that tell what is looked for, each once; all of them where none does."""
    found = list(dict.fromkeys(words))
    return [word for word in found if word not in _EMPTY][:_WORDS_MOST] or found[:_WORDS_MOST]
