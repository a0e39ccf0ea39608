"""Owns which texts are control to a model: the ends and beginnings of turns and of tools' results; judges no message.

Three things tell: the kinds of tokens in its vocabulary; the names that engines take for ends of turns, whatever kind
the file gives them; and the marks that its chat template writes, which may be tokens of another kind, or none.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from paddock.models.gguf_reader import Defect, LargeArray, Value, integers_in, read_raw, strings_at

# As GGUF numbers the kinds of tokens.
_CONTROL, _USER_DEFINED = 3, 4
# Turns of some models begin with a token of the second kind; its other tokens, such as <think>, structure a text.
_TURN_MARKS = ("<|", "<｜")
_TEXTS_MOST = 4096
# What llama.cpp reads as control wherever a vocabulary has it.
_ENDS = (
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>",
    "<|endoftext|>", "<|end_of_text|>", "<|tool_response>", "<turn|>", "<end_of_turn>", "<end_of_utterance>", "</s>",
    "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>",
)  # fmt: skip
_VOCABULARY_MOST_BYTES = 32 * 2**20
# What templates write around turns and results. What answers are structured by, such as <think> and <tool_call>, is
# left: whoever asks for such an answer has to be able to name it.
_MARK = re.compile(
    r"""<\|[^\s|<>'"{}]{1,40}\|?>|<[a-z_]{1,40}\|>|<｜[^\s｜<>'"{}]{1,40}｜>|\[\|[^\s|\[\]'"{}]{1,40}\|\]"""
    r"""|\[/?[A-Z][A-Z_]{2,40}\]|<</?[A-Z_]{2,20}>>|<(?:start|end|begin)_of_[a-z_]{1,20}>"""
    r"""|</?tool_(?:response|result|output)s?>"""
)


def control_texts(path: Path, template: Path | None = None) -> tuple[str, ...]:
    """The texts that stand for control, longest first; none where the file does not tell.

    Args:
        path: the model's file, or the first of its parts.
        template: the chat template that takes the place of the file's own.
    """
    try:
        told = _read(path) | _marks(template.read_text("utf-8", "replace") if template else None)
    except (OSError, Defect):
        # A file that cannot be read is told of when it is loaded.
        return ()
    return tuple(sorted(told, key=lambda text: (-len(text), text)))


def _marks(template: Value | None) -> set[str]:
    return {found[0] for found in _MARK.finditer(template)} if isinstance(template, str) else set[str]()


def _read(path: Path) -> set[str]:
    with path.open("rb") as file:
        metadata = read_raw(file).metadata
        marks = _marks(metadata.get("tokenizer.chat_template"))
        tokens, kinds = metadata.get("tokenizer.ggml.tokens"), metadata.get("tokenizer.ggml.token_type")
        if not isinstance(tokens, LargeArray):
            return marks
        numbers = integers_in(file, kinds) if isinstance(kinds, LargeArray) else _short(kinds)
        of_kind = {place: kind for place, kind in enumerate(numbers) if kind in (_CONTROL, _USER_DEFINED)}
        # Vocabularies may have thousands of the second kind before the first control token.
        places = sorted((place for place in of_kind if place < tokens.count), key=lambda place: of_kind[place])
        places = sorted(places[:_TEXTS_MOST])
        texts = strings_at(file, tokens, places)
        ends = _ends_in(file, tokens)
    return (
        marks
        | ends
        | {
            text
            for place, text in zip(places, texts, strict=True)
            if len(text) > 1 and (of_kind[place] == _CONTROL or text.startswith(_TURN_MARKS))
        }
    )


def _ends_in(file: BinaryIO, tokens: LargeArray) -> set[str]:
    """The names of `_ENDS` that stand, as a whole item, in or behind the vocabulary."""
    file.seek(tokens.start_bytes)
    read = file.read(_VOCABULARY_MOST_BYTES)
    return {end for end in _ENDS if struct.pack("<Q", len(end.encode())) + end.encode() in read}


def _short(kinds: Value | None) -> tuple[int, ...]:
    return tuple(int(kind) for kind in kinds) if isinstance(kinds, tuple) else ()
