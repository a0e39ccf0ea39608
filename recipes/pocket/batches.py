"""Owns rows as tokens: which tokens count in the loss, and batches of rows of like length.

The list of tools is the longest part of a row. So conversations over the same list are trained as one row: the list
once, then each conversation, which sees the list and itself and has the places that it would have alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from recipes.pocket import rows
from recipes.pocket.rows import Sheet
from recipes.pocket.spec import Stage

BUFFER_ROWS = 96


class Batch(NamedTuple):
    """Rows of one step; `[rows, tokens]` unless told otherwise, padded on the right."""

    tokens: Tensor
    counted: Tensor
    """The tokens that the model has to predict, those the assistant says."""
    places: Tensor
    """The place of each token in its own conversation."""
    seen: Tensor
    """`[rows, 1, tokens, tokens]`: which tokens each may look at, its own conversation's before it."""


class Encoded(NamedTuple):
    """A sheet as tokens: what all its conversations begin with, then the rest of each."""

    tokens: list[int]
    counted: list[bool]
    places: list[int]
    part: list[int]
    """0 for what is common to all, else the number of the conversation, from 1."""


def render(tokenizer: PreTrainedTokenizerFast, row: dict[str, Any], *, prompt: bool = False) -> str:
    """A row as text; `prompt` adds what comes before an answer."""
    return str(
        tokenizer.apply_chat_template(
            row["messages"], tools=row["tools"] or None, tokenize=False, add_generation_prompt=prompt
        )
    )


def encode(tokenizer: PreTrainedTokenizerFast, row: dict[str, Any]) -> tuple[list[int], list[bool]]:
    """A row's tokens, and which of them the assistant says, its end of turn among them."""
    tokens: list[int] = tokenizer(render(tokenizer, row), add_special_tokens=False)["input_ids"]
    opening: list[int] = tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    counted, speaking = [False] * len(tokens), False
    for place, token in enumerate(tokens):
        counted[place] = speaking
        if token == tokenizer.eos_token_id:
            speaking = False
        elif tokens[max(0, place + 1 - len(opening)) : place + 1] == opening:
            speaking = True
    return tokens, counted


def sheet(tokenizer: PreTrainedTokenizerFast, made: Sheet, most: int) -> Encoded | None:
    """A sheet as tokens, with as many of its conversations as fit into `most` tokens; None if none does."""
    whole = Encoded([], [], [], [])
    turn = tokenizer.convert_tokens_to_ids("<|im_start|>")
    common = 0
    for number, messages in enumerate(made.conversations, 1):
        tokens, counted = encode(tokenizer, {"messages": made.system + messages, "tools": made.tools})
        if not common:
            # All turns but the first, the system's, are the conversation's own.
            common = tokens.index(turn, 1)
            whole = Encoded(tokens[:common], [False] * common, list(range(common)), [0] * common)
        if tokens[:common] != whole.tokens[:common]:
            raise ValueError(f"The template says the tools of {messages[0]['content']!r} in another way.")
        own = len(tokens) - common
        if len(whole.tokens) + own > most:
            break
        whole.tokens.extend(tokens[common:])
        whole.counted.extend(counted[common:])
        whole.places.extend(range(common, len(tokens)))
        whole.part.extend([number] * own)
    return whole if whole.part[-1] else None


def stream(tokenizer: PreTrainedTokenizerFast, stage: Stage, seed: int) -> Iterator[Batch]:
    """Batches of a stage without end, the same for the same seed."""
    source = random.Random(seed)
    made = rows.sheets(seed, talk=stage.talk, tools=stage.tools, conversations=stage.conversations, known=stage.known)
    while True:
        buffer: list[Encoded] = []
        while len(buffer) < BUFFER_ROWS:
            encoded = sheet(tokenizer, next(made), stage.row_tokens)
            if encoded is not None:
                buffer.append(encoded)
        buffer.sort(key=lambda encoded: len(encoded.tokens))
        groups: list[list[Encoded]] = [[]]
        for encoded in buffer:
            if groups[-1] and len(encoded.tokens) * (len(groups[-1]) + 1) > stage.batch_tokens:
                groups.append([])
            groups[-1].append(encoded)
        source.shuffle(groups)
        for group in groups:
            yield padded(group)


def padded(group: list[Encoded]) -> Batch:
    """Sheets as one step's batch."""
    longest = max(len(one.tokens) for one in group)

    def filled(values: list[list[Any]], padding: int) -> Tensor:
        return torch.tensor([own + [padding] * (longest - len(own)) for own in values])

    part = filled([one.part for one in group], -1)
    own = (part[:, None, :] == part[:, :, None]) | (part[:, None, :] == 0)
    return Batch(
        filled([one.tokens for one in group], 0),
        filled([one.counted for one in group], 0).bool(),
        filled([one.places for one in group], 0),
        (own & torch.ones(longest, longest, dtype=torch.bool).tril())[:, None],
    )
