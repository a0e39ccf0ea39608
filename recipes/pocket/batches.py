"""Owns rows as tokens: which tokens count in the loss, and batches of rows of like length."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from recipes.pocket import rows
from recipes.pocket.spec import Stage

BUFFER_ROWS = 256


class Batch(NamedTuple):
    """Rows of one step."""

    tokens: Tensor
    """`[rows, tokens]`, padded on the right."""
    counted: Tensor
    """`[rows, tokens]`: the tokens that the model has to predict, those the assistant says."""


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


def stream(tokenizer: PreTrainedTokenizerFast, stage: Stage, seed: int) -> Iterator[Batch]:
    """Batches of a stage without end, the same for the same seed."""
    source = random.Random(seed)
    made = rows.rows(seed, talk=stage.talk, turns=stage.turns, tools=stage.tools)
    while True:
        buffer: list[tuple[list[int], list[bool]]] = []
        while len(buffer) < BUFFER_ROWS:
            encoded = encode(tokenizer, next(made))
            if len(encoded[0]) <= stage.row_tokens:
                buffer.append(encoded)
        buffer.sort(key=lambda encoded: len(encoded[0]))
        groups: list[list[tuple[list[int], list[bool]]]] = [[]]
        for encoded in buffer:
            if groups[-1] and len(encoded[0]) * (len(groups[-1]) + 1) > stage.batch_tokens:
                groups.append([])
            groups[-1].append(encoded)
        source.shuffle(groups)
        for group in groups:
            yield _padded(group)


def _padded(group: list[tuple[list[int], list[bool]]]) -> Batch:
    longest = max(len(tokens) for tokens, _ in group)
    tokens = torch.zeros(len(group), longest, dtype=torch.long)
    counted = torch.zeros(len(group), longest, dtype=torch.bool)
    for number, (own, said) in enumerate(group):
        tokens[number, : len(own)] = torch.tensor(own)
        counted[number, : len(own)] = torch.tensor(said)
    return Batch(tokens, counted)
