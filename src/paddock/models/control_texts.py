"""Owns which texts a model's tokenizer reads as control: the ends and beginnings of turns; judges no message."""

from __future__ import annotations

from pathlib import Path

from paddock.models.gguf_reader import Defect, LargeArray, Value, integers_in, read_raw, strings_at

# As GGUF numbers the kinds of tokens.
_CONTROL, _USER_DEFINED = 3, 4
# Turns of some models begin with a token of the second kind; its other tokens, such as <think>, structure a text.
_TURN_MARKS = ("<|", "<｜")
_TEXTS_MOST = 4096


def control_texts(path: Path) -> tuple[str, ...]:
    """The texts in a vocabulary that stand for control, longest first; none where the file does not tell.

    Args:
        path: the model's file, or the first of its parts.
    """
    try:
        return _read(path)
    except (OSError, Defect):
        # A file that cannot be read is told of when it is loaded.
        return ()


def _read(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        metadata = read_raw(file).metadata
        tokens, kinds = metadata.get("tokenizer.ggml.tokens"), metadata.get("tokenizer.ggml.token_type")
        if not isinstance(tokens, LargeArray):
            return ()
        numbers = integers_in(file, kinds) if isinstance(kinds, LargeArray) else _short(kinds)
        of_kind = {place: kind for place, kind in enumerate(numbers) if kind in (_CONTROL, _USER_DEFINED)}
        places = [place for place in of_kind if place < tokens.count][:_TEXTS_MOST]
        texts = strings_at(file, tokens, places)
    told = {
        text
        for place, text in zip(places, texts, strict=True)
        if len(text) > 1 and (of_kind[place] == _CONTROL or text.startswith(_TURN_MARKS))
    }
    return tuple(sorted(told, key=lambda text: (-len(text), text)))


def _short(kinds: Value | None) -> tuple[int, ...]:
    return tuple(int(kind) for kind in kinds) if isinstance(kinds, tuple) else ()
