"""Owns which options of a training exclude one another, or need one another; refuses to know any one's range."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING, cast

from paddock.errors import FieldInvalid, SettingInvalid, shown
from paddock.training.trackers import trackers_of
from paddock.values import converted

if TYPE_CHECKING:
    from paddock.training.spec import TrainSpec

REWARDS = ("json", "tool_call", "regex", "length", "python", "judge")


def refuse_what_excludes(spec: TrainSpec) -> None:
    """Raises FieldInvalid, whose `param` is the option to change."""
    for one in fields(spec):
        methods: tuple[str, ...] = one.metadata["methods"]
        if spec.method not in methods and getattr(spec, one.name) != one.default:
            raise FieldInvalid(
                f"{one.name} is for {' and '.join(methods)}, and method is {spec.method}. Leave it out.", param=one.name
            )
    trackers_of(spec.trackers)
    if spec.tuning == "lora" and not spec.lora_modules.strip(" ,"):
        raise FieldInvalid(
            "lora_modules is empty. Say all-linear, or name modules between commas.", param="lora_modules"
        )
    if spec.packs and spec.method == "sft" and spec.too_long == "cut":
        raise FieldInvalid("packs and too_long 'cut' exclude one another. Say too_long 'drop'.", param="too_long")
    if spec.base_is_in_4_bits and (spec.tuning == "full" or spec.lora_is_decomposed):
        other = "tuning 'full'" if spec.tuning == "full" else "lora_is_decomposed"
        raise FieldInvalid(
            f"base_is_in_4_bits and {other} exclude one another: what is held in 4 bits is neither trained nor merged. "
            "Say tuning lora, without lora_is_decomposed.",
            param="base_is_in_4_bits",
        )
    if spec.method == "embedding":
        _refuse_unlike(spec)
    _refuse_sharing(spec)
    if spec.method == "grpo":
        _refuse_rewards(spec)
    if spec.method == "kto" and spec.batch_rows < 2:
        raise FieldInvalid(
            "batch_rows is 1; kto measures a row against the others of its batch. Say at least 2, better 8.",
            param="batch_rows",
        )


def _refuse_unlike(spec: TrainSpec) -> None:
    if spec.tuning != "full":
        raise FieldInvalid(
            "method embedding trains every weight, since embedding models are small, and served whole. Say tuning "
            "full, and a learning_rate of about 0.00002.",
            param="tuning",
        )
    if spec.batch_rows < 2:
        raise FieldInvalid(
            "batch_rows is 1; embedding tells a row's text from those of the others in its batch. Say at least 2, "
            "better 16 or more.",
            param="batch_rows",
        )


def modules_of(spec: TrainSpec) -> list[str]:
    """The modules that get an addition; none where every linear one does."""
    wanted = [name.strip() for name in spec.lora_modules.split(",") if name.strip()]
    return [] if "all-linear" in wanted else wanted


def refuse_unknown_modules(spec: TrainSpec, known: Collection[str]) -> None:
    """Raises FieldInvalid where a module that gets an addition is none of the known ones."""
    for name in modules_of(spec):
        if name not in known:
            raise FieldInvalid(
                f"lora_modules: this model has no {shown(name)}. It has: {', '.join(sorted(known))}. all-linear is all "
                "of them.",
                param="lora_modules",
            )


def weights_of(spec: TrainSpec) -> dict[str, float]:
    """What is rewarded, and how much each counts. Raises FieldInvalid."""
    found: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in spec.rewards.split(","))):
        name, _, weight = (word.strip() for word in part.partition("="))
        if name not in REWARDS:
            raise FieldInvalid(f"rewards has {shown(name)}; there are {', '.join(REWARDS)}.", param="rewards")
        try:
            found[name] = cast("float", converted(float, weight or 1.0, "rewards", low=-1000, high=1000))
        except SettingInvalid as error:
            raise FieldInvalid(error.message, param="rewards") from error
    if not found:
        raise FieldInvalid(f"rewards is empty. Say what grpo rewards: {', '.join(REWARDS)}.", param="rewards")
    return found


def _refuse_rewards(spec: TrainSpec) -> None:
    needed = {
        "regex": ("reward_pattern",), "length": ("reward_tokens",), "python": ("reward_code",),
        "judge": ("judge_model", "judge_question"),
    }  # fmt: skip
    for name in weights_of(spec):
        for option in needed.get(name, ()):
            if not getattr(spec, option):
                raise FieldInvalid(f"rewards has {name}, which needs {option}.", param=option)
        if name == "python" and not spec.runs_code:
            raise FieldInvalid(
                f"rewards has python: {shown(spec.reward_code)} would be run here, confined. If you have read it and "
                "want that, say runs_code true.",
                param="runs_code",
            )
    if spec.too_long == "cut":
        raise FieldInvalid("too_long is cut; a prompt that is cut asks something else. Say drop.", param="too_long")
    try:
        re.compile(spec.reward_pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise FieldInvalid(f"reward_pattern is no pattern: {error}.", param="reward_pattern") from error
    read = spec.batch_rows * spec.accumulate
    if read % spec.group_answers:
        raise FieldInvalid(
            f"A step reads {spec.batch_rows} x {spec.accumulate} = {read} answers (batch_rows x accumulate): these "
            f"are no whole groups of {spec.group_answers}.",
            param="group_answers",
        )


def _refuse_sharing(spec: TrainSpec) -> None:
    """What several processes, or those of another machine, cannot do."""
    if spec.method == "embedding" and (spec.processes > 1 or spec.cluster):
        option = "processes" if spec.processes > 1 else "cluster"
        raise FieldInvalid(f"method embedding trains in one process of this machine. Leave {option} out.", param=option)
    if spec.accumulate % spec.processes:
        raise FieldInvalid(
            f"accumulate is {spec.accumulate}, and {spec.processes} processes share the batches of a step: these are "
            f"no equal shares. Say accumulate {spec.processes}, or another multiple of that.",
            param="accumulate",
        )
    if spec.strategy == "fsdp":
        if spec.processes == 1:
            raise FieldInvalid(
                "strategy fsdp divides the model between processes, and processes is 1. Say how many cards there are.",
                param="processes",
            )
        if spec.method not in ("sft", "cpt") or spec.base_is_in_4_bits:
            other = "base_is_in_4_bits" if spec.base_is_in_4_bits else f"method {spec.method}"
            raise FieldInvalid(
                f"strategy fsdp is for sft and cpt with a base that is not in 4 bits, and this has {other}. Say ddp.",
                param="strategy",
            )
    if spec.cluster not in ("", "ray") and "judge" in spec.rewards:
        raise FieldInvalid(
            f"rewards has judge, which is asked on this machine; processes of {shown(spec.cluster)} cannot reach it.",
            param="rewards",
        )
