"""Owns pocket's vocabulary: pieces in which copying is easy; knows nothing of the model.

Letters are joined by byte-pair merges that never cross a space, a sign or a change of case, and every piece of letters
has three twins: with a capital, with a space before it, with both. The same word is therefore split the same way
wherever it stands (`lisbon`, ` lisbon`, `"Lisbon`), and `twins` says which pieces are one word for the copy circuit.
Digits and signs stand alone. The fixed wording of the template and of JSON calls are single pieces.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from recipes.pocket.rows import OPEN_ANSWER

TEMPLATE = Path(__file__).with_name("chat_template.jinja")
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How text is cut before merging: the pattern that llama.cpp knows as `qwen2`."""
SPACE = "Ġ"
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
OPEN_CALL = '<tool_call>\n{"name": "'
OPEN_SIGNATURE = '\n{"name": "'
OPEN_ARGUMENTS = '", "arguments": {"'
OPEN_TEXT, OPEN_OTHER = '": "', '": '
NEXT_TEXT, NEXT_OTHER = '", "', ', "'
OPEN_RESULT = "\n<tool_response>\n"
END_OF_TOOLS = (
    "\n</tools>\n\nA call is JSON between these tags, the tool's name and what it is given:\n"
    '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>'
)
WORDING = (
    "\n\nTools you may call, how each is called and what it does, stand between <tools> and </tools>:\n<tools>",
    END_OF_TOOLS,
    "You are pocket, a very small model that lives in paddock. You call tools and answer briefly.",
    OPEN_CALL, OPEN_SIGNATURE, OPEN_ARGUMENTS, '", "arguments": {}}', OPEN_TEXT, OPEN_OTHER, NEXT_TEXT, NEXT_OTHER,
    '"}}', "}}", "\n</tool_call>", OPEN_RESULT, OPEN_ANSWER, "\n</tool_response>",
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip


class Twin(NamedTuple):
    """A piece's word in small letters, and what it has beside it."""

    word: str
    spaced: bool
    capital: bool


def twin(piece: str) -> Twin:
    """The word that a piece of the vocabulary stands for."""
    bare = piece.removeprefix(SPACE) if len(piece) > 1 else piece
    if not (bare.isascii() and bare.isalpha() and bare[1:].islower() | (len(bare) == 1)):
        return Twin(piece, False, False)
    return Twin(bare.lower(), piece != bare, bare[0].isupper())


def build(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` pieces whose merges are learned from `texts`."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word.lower() for word in re.findall(r"[A-Z]?[a-z]+", text))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fixed = len(CONTROL) + len(WORDING) + len(alphabet) + 52
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    goal = (size - fixed) // 4 + 26
    trainer = trainers.BpeTrainer(vocab_size=goal, min_frequency=2, show_progress=False, max_token_length=12)
    learner.train_from_iterator((f"{word} " * count for word, count in sorted(counts.items())), trainer)
    learned = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    vocabulary = {piece: number for number, piece in enumerate((*CONTROL, *alphabet))}
    merges: list[tuple[str, str]] = []

    def join(one: str, two: str) -> None:
        if one in vocabulary and one + two not in vocabulary:
            vocabulary[one + two] = len(vocabulary)
            merges.append((one, two))

    for one, two in learned:
        join(one, two)
        join(one[0].upper() + one[1:], two)
    for piece in [p for p in vocabulary if p.isascii() and p.isalpha()]:
        join(SPACE, piece)
    return _assembled(vocabulary, merges, size)


def empty() -> Any:
    """A tokenizer of nothing, for rendering the template before there is a vocabulary."""
    return Tokenizer(models.BPE())


def _assembled(vocabulary: dict[str, int], merges: list[tuple[str, str]], size: int) -> PreTrainedTokenizerFast:
    made: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in CONTROL])
    made.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in WORDING])
    if made.get_vocab_size() > size:
        raise ValueError(f"The vocabulary has {made.get_vocab_size()} pieces; at most {size} were asked for.")
    filler = [AddedToken(f"<unused{n}>", special=False, normalized=False) for n in range(made.get_vocab_size(), size)]
    made.add_tokens(filler)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=131072,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE.read_text("utf-8")
    return tokenizer
