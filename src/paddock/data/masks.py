"""Owns which tokens of a row train: what the model itself would have to say, as the server would ask for it.

The tokenizer and its template are whoever trains' own (Transformers'); this room only asks them. A row is cut where an
answer begins, because there the server's prompt ends: no token may reach over that place. It is learnt up to and with
the token that ends the turn, where the server stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from paddock.data.rows import Row
from paddock.errors import FieldInvalid

TrainOn = Literal["answers", "last", "everything"]
# What trainers leave out of the loss.
IGNORED = -100


class Tokenizer(Protocol):
    """What is asked of a tokenizer of Transformers."""

    bos_token: str | None
    eos_token: str | None

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, tools: Any, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The text of a conversation; asked with `tokenize=False`."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The tokens of a text."""
        ...


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a row's text, and whether it trains."""

    text: str
    trains: bool


@dataclass(frozen=True, kw_only=True)
class Masked:
    """A row's tokens, and for each whether it trains."""

    ids: list[int]
    trains: list[bool]

    @property
    def labels(self) -> list[int]:
        """As trainers take it."""
        return [token if trains else IGNORED for token, trains in zip(self.ids, self.trains, strict=True)]


def masked(row: Row, tokenizer: Tokenizer, *, train_on: TrainOn = "answers") -> list[Masked]:
    """A row as it is trained on: one, or one for each answer where the template writes earlier turns in another way.

    Raises:
        FieldInvalid: the template refuses the row, or ends no turn as the server would see it.
    """
    if not row.messages:
        ids = tokenizer.encode(row.text, add_special_tokens=True)
        end = tokenizer.encode(tokenizer.eos_token, add_special_tokens=False) if tokenizer.eos_token else []
        return [Masked(ids=[*ids, *end], trains=[True] * (len(ids) + len(end)))]
    return [_tokens(pieces, tokenizer) for pieces in pieces_of(row, tokenizer, train_on=train_on)]


def asking(row: Row, tokenizer: Tokenizer) -> list[int]:
    """The tokens of a conversation that asks for an answer, as the server sends it. Raises FieldInvalid."""
    return _tokens([Piece(text=_rendered(row.messages, row, tokenizer, asks=True), trains=False)], tokenizer).ids


def pieces_of(row: Row, tokenizer: Tokenizer, *, train_on: TrainOn = "answers") -> list[list[Piece]]:
    """The texts of a conversation as the template writes it, cut into what trains and what does not."""
    messages = list(row.messages)
    answers = [number for number, one in enumerate(messages) if one["role"] == "assistant"]
    if train_on == "last":
        answers = answers[-1:]
    whole = _rendered(messages, row, tokenizer)
    if train_on == "everything":
        return [[Piece(text=whole, trains=True)]]
    spans = [_span(messages, number, row, tokenizer) for number in answers]
    if all(whole.startswith(before + said) for before, said in spans):
        return [_cut(whole, spans)]
    # Such a template drops or changes what was said earlier: each answer is learnt behind what the server would show.
    alone = [(messages[: number + 1], span) for number, span in zip(answers, spans, strict=True)]
    return [_cut(_rendered(part, row, tokenizer), [span]) for part, span in alone]


def _span(messages: Sequence[dict[str, Any]], number: int, row: Row, tokenizer: Tokenizer) -> tuple[str, str]:
    """What stands before an answer, as the server asks for it, and the answer with the token that ends it."""
    before = _rendered(messages[:number], row, tokenizer, asks=True)
    after = _rendered(messages[: number + 1], row, tokenizer)
    if not after.startswith(before):
        raise FieldInvalid(
            "The template asks for an answer in another way than it writes one: what is learnt would not be what is "
            "asked for. Give the model another template.",
            param="base",
        )
    said = after[len(before) :]
    end = tokenizer.eos_token or ""
    if not end or end not in said:
        raise FieldInvalid(
            f"The template does not end an answer with the token that stops the server ({end or 'there is none'}): the "
            "model would never learn to stop. Give the model another template, or mend its eos_token.",
            param="base",
        )
    return before, said[: said.rindex(end) + len(end)]


def _cut(whole: str, spans: Sequence[tuple[str, str]]) -> list[Piece]:
    pieces: list[Piece] = []
    place = 0
    for before, said in spans:
        pieces.append(Piece(text=whole[place : len(before)], trains=False))
        pieces.append(Piece(text=said, trains=True))
        place = len(before) + len(said)
    return [piece for piece in [*pieces, Piece(text=whole[place:], trains=False)] if piece.text]


def lacks_beginning(text: str, tokenizer: Tokenizer) -> bool:
    """Whether the engine adds the token that begins a text, because the template does not write it."""
    return not (tokenizer.bos_token and text.startswith(tokenizer.bos_token))


def _tokens(pieces: Sequence[Piece], tokenizer: Tokenizer) -> Masked:
    ids: list[int] = []
    trains: list[bool] = []
    for piece in pieces:
        first = not ids and lacks_beginning(piece.text, tokenizer)
        some = tokenizer.encode(piece.text, add_special_tokens=first)
        ids += some
        trains += [piece.trains] * len(some)
    return Masked(ids=ids, trains=trains)


def _rendered(messages: Sequence[dict[str, Any]], row: Row, tokenizer: Tokenizer, *, asks: bool = False) -> str:
    from_template = tokenizer.apply_chat_template
    try:
        return from_template(list(messages), tools=list(row.tools) or None, tokenize=False, add_generation_prompt=asks)
    except Exception as error:
        # Templates raise what they like.
        raise FieldInvalid(f"The template refuses a row: {error}.", param="data") from error
