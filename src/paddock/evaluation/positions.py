"""Owns measuring texts position by position: how likely a model holds each token behind those before it.

An engine tells no probabilities of a prompt. So each position is asked for by itself, with all before it in the
engine's cache: one token is generated, which a bias makes the one that stands there, and the engine tells the
probability that the model gave it before any bias. Half a character is kept back by the engine, and with it what is
asked for: there a whole letter is generated, and the token is looked up among those of the whole vocabulary.
Refuses to judge a model by the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.errors import EngineUnreachable, PaddockError
from paddock.evaluation.asking import Asker
from paddock.protocol.shape import as_object, objects_in

_COMPLETIONS = "/v1/completions"
# Each token is seen behind so many at least, where there are so many, and at most twice as many.
STRIDE_TOKENS = 512
_FORCED = 1000.0
_VOCABULARY_MOST = 2**20
# A probability that the engine rounds to nothing, in nats.
LEAST = -100.0


async def tokens_of(asker: Asker, text: str, *, begins: bool, is_rendered: bool = False) -> list[int]:
    """The tokens of a text; `begins` puts what begins a text in front, `is_rendered` reads control texts as such."""
    said = await asker.ask("/tokenize", {"content": text, "add_special": begins, "parse_special": is_rendered})
    return [int(one) for one in said["tokens"]]


async def rendered(asker: Asker, body: Any) -> str:
    """A conversation as the model's template writes it."""
    return str((await asker.ask("/apply-template", body))["prompt"])


async def log_likelihoods(asker: Asker, tokens: Sequence[int], first: int) -> list[float]:
    """The logarithm, in nats, of each token's probability from the place `first` on, which is at least 1."""
    found: list[float] = []
    letter = 0
    for place in range(max(1, first), len(tokens)):
        start = max(0, ((place - 1) // STRIDE_TOKENS - 1) * STRIDE_TOKENS)
        prompt, token = list(tokens[start:place]), tokens[place]
        told = await _next(asker, prompt, token, 1)
        if told is None or told.get("id") != token:
            letter = letter or (await tokens_of(asker, "a", begins=False))[-1]
            told = await _among_all(asker, prompt, token, letter)
        found.append(_logarithm(told))
    return found


def _logarithm(told: Mapping[str, Any]) -> float:
    """Raises PaddockError."""
    logprob = told.get("logprob")
    if not isinstance(logprob, int | float):
        raise PaddockError(
            "The model's probabilities are no numbers (NaN), as those of a training that diverged are: its weights are "
            "broken. Take an earlier checkpoint, or another file."
        )
    return max(LEAST, float(logprob))


async def _among_all(asker: Asker, prompt: list[int], token: int, letter: int) -> dict[str, Any]:
    told = await _next(asker, prompt, letter, _VOCABULARY_MOST)
    ranked = objects_in(told.get("top_logprobs")) if told else []
    return next((one for one in ranked if one.get("id") == token), {"logprob": LEAST})


async def _next(asker: Asker, prompt: list[int], generated: int, most: int) -> dict[str, Any] | None:
    """What the engine tells of the token that it is made to generate; None where it keeps that back."""
    said = await asker.ask(
        _COMPLETIONS,
        {
            "prompt": prompt, "max_tokens": 1, "temperature": 0, "n_probs": most, "cache_prompt": True,
            "logit_bias": [[generated, _FORCED]],
        },
    )  # fmt: skip
    choices = objects_in(said.get("choices"))
    if not choices:
        raise EngineUnreachable("The engine answers /v1/completions without a choice.")
    content = objects_in((as_object(choices[0].get("logprobs")) or {}).get("content"))
    return content[0] if content else None
