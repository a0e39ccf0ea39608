"""Owns trying a build on one model beside the active one: loads, one greedy answer, how quick; chooses no models.

The active build goes first: how long it takes tells how long the new one may take. Then both stay, and short runs of
one and the other alternate, so that what slows a machine down for a while falls on both. Where there is room for one
alone, they take turns, and the figures are told without a judgement.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from paddock.engine.flags import EngineFlags
from paddock.engine.private import engine_for
from paddock.errors import PaddockError
from paddock.install.canary import SLOW_BELOW, ModelTrial, Repetition, Speed, figures, middle, slower_in
from paddock.protocol.shape import as_object

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient
    from paddock.engine.process import Endpoint

_PASSAGE = "The llama walked over the field and looked at the gate. "
# Some 13 tokens in most vocabularies.
_PASSAGES_MOST, _PASSAGE_TOKENS_MOST = 24, 40
_GREEDY_TOKENS, _RUN_TOKENS = 24, 32
_RUNS, _RUNS_S = 5, 20.0
_REPETITIONS = 3
# The runs' own; the answer before them told that the engine does not hang.
_RUN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long loading and the first answer may take: of the active build, and of the new one by what that took."""

    active_s: float = 60.0
    new_least_s: float = 30.0
    new_times: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What is tried: a model as it is loaded, by the words that start each build's engine.

    `active` is None where there is nothing to compare with. `beside`: there is room for both at once.
    """

    model: str
    flags: EngineFlags
    new: tuple[str, ...]
    active: tuple[str, ...] | None
    beside: bool = True
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What one build said and how quick it is alone. `error` says what it failed at; "" where it did not."""

    text: str = ""
    speed: Speed = field(default_factory=Speed)
    took_s: float = 0.0
    error: str = ""
    is_late: bool = False


def compare(pair: Pair) -> ModelTrial:
    """Try a model with both builds. Blocking; from no event loop."""
    return anyio.run(partial(_compared, pair))


async def _compared(pair: Pair) -> ModelTrial:
    old = _Heard()
    if pair.active is None:
        return _verdict(pair, await _alone(pair, pair.new, pair.patience.new_least_s), None, ())
    if not pair.beside:
        old = await _alone(pair, pair.active, pair.patience.active_s)
        found = await _alone(pair, pair.new, _within_s(pair, old))
        return _verdict(pair, found, old, (Repetition(new=found.speed, active=old.speed),))

    async def beside(endpoint: Endpoint, client: EngineClient) -> ModelTrial:
        nonlocal old
        with anyio.fail_after(pair.patience.active_s):
            old = await _heard(endpoint, client, begun_s)
        try:
            return await engine_for(
                pair.new, pair.flags, partial(_paired, pair, old, endpoint),
                load_s=_within_s(pair, old), work_s=_RUN_S * _REPETITIONS + _within_s(pair, old),
            )  # fmt: skip
        except (PaddockError, TimeoutError, *_UNREADABLE) as error:
            return _verdict(pair, _failed(error, _within_s(pair, old)), old, ())

    begun_s = time.monotonic()
    try:
        return await engine_for(pair.active, pair.flags, beside, load_s=pair.patience.active_s, work_s=float("inf"))
    except (PaddockError, TimeoutError, *_UNREADABLE) as error:
        old = replace(
            _failed(error, pair.patience.active_s), is_late=time.monotonic() - begun_s > pair.patience.active_s
        )
        return _verdict(pair, await _alone(pair, pair.new, pair.patience.new_least_s), old, ())


async def _paired(pair: Pair, old: _Heard, active: Endpoint, new: Endpoint, client: EngineClient) -> ModelTrial:
    """Both engines run: the new one's answer, then runs in turn; again where it seems slow."""
    with anyio.fail_after(_within_s(pair, old)):
        found = await _heard(new, client, time.monotonic())
    repetitions: list[Repetition] = []
    while not repetitions or (len(repetitions) < _REPETITIONS and slower_in(repetitions)):
        begun_s = time.monotonic()
        runs: list[Repetition] = []
        while len(runs) < _RUNS and (not runs or time.monotonic() - begun_s < _RUNS_S):
            try:
                first = await _run(active, client, pair.flags)
            except PaddockError as error:
                return _verdict(pair, found, _failed(error, 0.0), ())
            runs.append(Repetition(active=first, new=await _run(new, client, pair.flags)))
        repetitions.append(
            Repetition(new=middle([run.new for run in runs]), active=middle([run.active for run in runs]))
        )
    return _verdict(pair, found, old, tuple(repetitions))


async def _alone(pair: Pair, program: Sequence[str], within_s: float) -> _Heard:
    """One build's engine by itself: its answer, and a few runs."""
    begun_s = time.monotonic()

    async def work(endpoint: Endpoint, client: EngineClient) -> _Heard:
        heard = await _heard(endpoint, client, begun_s)
        return replace(heard, speed=middle([await _run(endpoint, client, pair.flags) for _ in range(2)]))

    try:
        return await engine_for(program, pair.flags, work, load_s=within_s, work_s=within_s)
    except (PaddockError, TimeoutError, *_UNREADABLE) as error:
        return replace(_failed(error, within_s), is_late=time.monotonic() - begun_s > within_s)


def _verdict(pair: Pair, new: _Heard, old: _Heard | None, repetitions: tuple[Repetition, ...]) -> ModelTrial:
    if old is not None and old.is_late and (new.error or not new.text):
        late = f"the active build took more than {pair.patience.active_s:.0f} s; it was not compared"
        return ModelTrial(model=pair.model, status="skip", reason=late)
    if new.error and old is not None and old.error:
        return ModelTrial(model=pair.model, status="skip", reason=f"neither build does it: {new.error}")
    if new.error:
        return ModelTrial(model=pair.model, status="fail", reason=new.error)
    if old is None or old.error:
        reason = f"the active build fails at it: {old.error}" if old else ""
        only = (Repetition(new=new.speed, active=Speed()),)
        return ModelTrial(model=pair.model, status="pass", reason=reason, repetitions=only)
    if old.text and not new.text:
        return ModelTrial(model=pair.model, status="fail", reason="its answer is empty", says_the_same=False)
    # Once is chance, and so is one after the other.
    slow = slower_in(repetitions) if len(repetitions) == _REPETITIONS else []
    reason = "" if pair.beside else "there is room for one build at a time, so its speed was not judged"
    if slow:
        what = f"{' and '.join(slow)} below {SLOW_BELOW:g} x in each of {_REPETITIONS} repetitions"
        reason = f"{what}: {figures(repetitions[-1])}"
    return ModelTrial(
        model=pair.model,
        status="fail" if slow else "pass",
        reason=reason,
        repetitions=repetitions,
        says_the_same=new.text == old.text,
    )


def _within_s(pair: Pair, old: _Heard) -> float:
    return max(pair.patience.new_least_s, pair.patience.new_times * old.took_s)


_UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def _failed(error: BaseException, within_s: float) -> _Heard:
    if isinstance(error, TimeoutError):
        return _Heard(error=f"no answer within {within_s:.0f} s")
    if isinstance(error, PaddockError):
        return _Heard(error=error.message.rstrip("."))
    return _Heard(error=f"its answer cannot be read: {type(error).__name__} {error}")


async def _heard(endpoint: Endpoint, client: EngineClient, begun_s: float) -> _Heard:
    """One greedy answer, which also brings the model's pages into memory."""
    turn = {"role": "user", "content": "Say hello in one short sentence."}
    body: dict[str, Any] = {"messages": [turn], "max_tokens": _GREEDY_TOKENS, "temperature": 0, "cache_prompt": False}
    message = (await client.ask(endpoint, "/v1/chat/completions", body))["choices"][0]["message"]
    text = str(message.get("reasoning_content") or "") + str(message.get("content") or "")
    return _Heard(text=text, took_s=time.monotonic() - begun_s)


async def _run(endpoint: Endpoint, client: EngineClient, flags: EngineFlags) -> Speed:
    """One short run, by the engine's own clock."""
    room = flags.context_tokens // flags.slots - _RUN_TOKENS
    body: dict[str, Any] = {
        "prompt": _PASSAGE * max(1, min(_PASSAGES_MOST, room // _PASSAGE_TOKENS_MOST)),
        "n_predict": _RUN_TOKENS,
        "temperature": 0,
        "cache_prompt": False,
        "ignore_eos": True,
    }
    timings = as_object((await client.ask(endpoint, "/completion", body)).get("timings")) or {}
    return Speed(
        reading=_number(timings.get("prompt_per_second")), generation=_number(timings.get("predicted_per_second"))
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None
