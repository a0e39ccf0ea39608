"""Owns what the source of an export says, by Transformers: prompts, tokens, answers, distributions; judges nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from transformers import GenerationConfig

from paddock.errors import PaddockError
from paddock.export.prompts import CALLS, CHATS, TEXTS

ANSWER_TOKENS = 12
CALL_TOKENS = 64
# So many positions of each prompt and its answer are compared, the last ones.
POSITIONS = 10
_CONTEXT_MOST_TOKENS = 4096


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt: which chat it is of (None: of none), as text and as tokens."""

    name: str
    chat: int | None
    text: str
    tokens: list[int]


@dataclass(frozen=True, kw_only=True)
class Call:
    """An answer where tools could be called."""

    tokens: list[int]
    text: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the source says. Sequences are prompts with their answers; `first_positions` begin what is compared.

    `composed` names the texts that have another composed form (NFC), and which the source reads as it reads that.
    """

    prompts: list[Prompt]
    left_out: dict[str, str]
    texts: list[list[int]]
    composed: frozenset[str]
    bos_token: str
    eos_id: int | None
    bos_id: int | None
    stops: list[int]
    greedy: list[list[int]]
    calls: dict[int, Call]
    sequences: list[list[int]]
    first_positions: list[int]
    context_tokens: int
    has_template: bool


def said(model: Any, tokenizer: Any, is_wished: Callable[[], object]) -> Said:
    """Everything but distributions. Raises PaddockError."""
    limit = min(_CONTEXT_MOST_TOKENS, _trained_tokens(model.config))
    prompts, left_out = _prompts(tokenizer, limit - CALL_TOKENS)
    if not prompts:
        raise PaddockError(f"The source's own template refuses every prompt: {next(iter(left_out.values()))}")
    stops = _stops(model, tokenizer)
    greedy: list[list[int]] = []
    calls: dict[int, Call] = {}
    for prompt in prompts:
        is_wished()
        is_call = prompt.chat in CALLS
        answer = _answer(model, prompt.tokens, CALL_TOKENS if is_call else ANSWER_TOKENS, stops)
        if is_call and prompt.chat is not None:
            calls[prompt.chat] = Call(tokens=answer, text=tokenizer.decode(answer, skip_special_tokens=False))
        greedy.append(answer[:ANSWER_TOKENS])
    sequences = [
        prompt.tokens + [one for one in answer if one not in stops]
        for prompt, answer in zip(prompts, greedy, strict=True)
    ]
    return Said(
        prompts=prompts,
        left_out=left_out,
        texts=[list(tokenizer(text).input_ids) for text in TEXTS],
        composed=_composed(tokenizer, prompts),
        bos_token=tokenizer.bos_token or "",
        eos_id=tokenizer.eos_token_id,
        bos_id=tokenizer.bos_token_id,
        stops=stops,
        greedy=greedy,
        calls=calls,
        sequences=sequences,
        first_positions=[max(0, len(one) - POSITIONS) for one in sequences],
        context_tokens=max(map(len, sequences)) + CALL_TOKENS * 2,
        has_template=bool(tokenizer.chat_template),
    )


@torch.no_grad()
def distributions(model: Any, told: Said, is_wished: Callable[[], object]) -> Any:
    """The logarithm of each token's probability at each position that is compared: (positions, vocabulary), 32 bits."""
    rows: list[Any] = []
    for sequence, first in zip(told.sequences, told.first_positions, strict=True):
        is_wished()
        scores = model(torch.tensor([sequence], device=model.device)).logits[0, first:].float()
        rows.append(torch.log_softmax(scores, dim=-1).cpu().numpy())
    return np.concatenate(rows)


def _prompts(tokenizer: Any, most_tokens: int) -> tuple[list[Prompt], dict[str, str]]:
    """The prompts that fit, and why others are left out."""
    found: list[Prompt] = []
    left_out: dict[str, str] = {}
    for number, (name, text) in _texts(tokenizer, left_out):
        tokens = list(tokenizer(text, add_special_tokens=number is None).input_ids)
        if len(tokens) > most_tokens:
            left_out[name] = f"it has {len(tokens)} tokens, and {most_tokens} fit"
        elif tokens:
            found.append(Prompt(name=name, chat=number, text=text, tokens=tokens))
    return found, left_out


def _texts(tokenizer: Any, left_out: dict[str, str]) -> Sequence[tuple[int | None, tuple[str, str]]]:
    if not tokenizer.chat_template:
        return [(None, (text_name(number), text)) for number, text in enumerate(TEXTS)]
    texts: list[tuple[int | None, tuple[str, str]]] = []
    for number, (name, body) in enumerate(CHATS):
        try:
            text = tokenizer.apply_chat_template(
                body["messages"], tools=body.get("tools"), add_generation_prompt=True, tokenize=False
            )
        except Exception as error:  # a template is a stranger's program, and raises what it likes
            left_out[name] = f"the source's own template refuses it: {str(error)[:200]}"
            continue
        texts.append((number, (name, text)))
    return texts


def _composed(tokenizer: Any, prompts: Sequence[Prompt]) -> frozenset[str]:
    texts = {text_name(number): text for number, text in enumerate(TEXTS)} | {one.name: one.text for one in prompts}
    composed = {name: unicodedata.normalize("NFC", text) for name, text in texts.items()}
    return frozenset(
        name
        for name, form in composed.items()
        if form != texts[name] and tokenizer(form).input_ids == tokenizer(texts[name]).input_ids
    )


def text_name(number: int) -> str:
    """What a text without a chat is called."""
    return f"text {number + 1}"


def _stops(model: Any, tokenizer: Any) -> list[int]:
    """The tokens at which an answer ends."""
    said_of: Any = getattr(model.generation_config, "eos_token_id", None)
    found = cast("list[Any]", said_of if isinstance(said_of, list) else [said_of])
    return sorted({int(one) for one in [tokenizer.eos_token_id, *found] if one is not None})


@torch.no_grad()
def _answer(model: Any, prompt: list[int], most: int, stops: list[int]) -> list[int]:
    """The likeliest token again and again, with the stop at its end."""
    # Made anew, since a model's own may say that something else than the likeliest is meant.
    greedy = GenerationConfig(
        do_sample=False, max_new_tokens=most, eos_token_id=stops or None, pad_token_id=stops[0] if stops else 0
    )
    tokens = torch.tensor([prompt], device=model.device)
    made = model.generate(tokens, attention_mask=torch.ones_like(tokens), generation_config=greedy)
    return [int(one) for one in made[0, len(prompt) :]]


def _trained_tokens(config: Any) -> int:
    text = getattr(config, "text_config", None) or config
    return int(getattr(text, "max_position_embeddings", None) or _CONTEXT_MOST_TOKENS)
