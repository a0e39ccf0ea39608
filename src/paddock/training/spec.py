"""Owns what one training is told: every option with its unit, range and default; refuses to carry any of it out.

This is the one place of defaults. The command line, the page and YAML files show and set these fields and no others.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from paddock.data.files import first_rows
from paddock.data.likenesses import Likeness, likeness_of
from paddock.data.preferences import Judged, Pair, Task, judged_of, pair_of, task_of
from paddock.data.rows import Row, row_of, seen_row_of
from paddock.errors import FieldInvalid, SettingInvalid, shown
from paddock.training.exclusions import REWARDS, refuse_what_excludes
from paddock.training.trackers import TRACKERS
from paddock.values import Value, converted

METHODS = ("sft", "cpt", "dpo", "orpo", "kto", "grpo", "embedding")
TUNINGS = ("lora", "full")
_PREFERENCES = ("dpo", "orpo", "kto")
_SPEAKING = tuple(method for method in METHODS if method != "embedding")
# What is not a library's default was chosen here: docs/training.md and its numbers say why.
_OURS = "paddock"
_LOOKED_AT = 1000


def _option(
    default: Value,
    help_text: str,
    *,
    source: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    methods: tuple[str, ...] = METHODS,
) -> Any:
    """An option. `source` is where its default comes from; `methods` are those that it says something to."""
    about = {"help": help_text, "unit": unit, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata={**about, "source": source, "methods": methods})


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """One training. Immutable; `spec_of` makes a checked one."""

    base: str = _option(
        "pocket-v0", "The model to train: a folder in the form of Transformers, or `pocket-v0`.", source=_OURS
    )
    data: str = _option(
        "", "The rows to learn from: a file (jsonl, json or csv), or the example `llama-keeper`.", source=_OURS
    )
    eval_data: str = _option(
        "", "Rows that are never trained on; empty: `eval_share` of the data is held out.", source=_OURS
    )
    eval_share: float = _option(
        0.05, "Share of the rows that is held out where there is no `eval_data`.", source=_OURS, low=0, high=0.9
    )
    method: str = _option(
        "sft",
        "sft learns answers, cpt plain text; dpo and orpo learn from pairs of a better and a worse answer, kto from "
        "answers that are good or bad; grpo from rewards of answers that the model gives itself; embedding learns "
        "which texts are alike.",
        source=_OURS, choices=METHODS,
    )  # fmt: skip
    tuning: str = _option("lora", "lora trains a small addition, full every weight.", source=_OURS, choices=TUNINGS)
    lora_rank: int = _option(16, "Rank of the addition.", source=_OURS, low=1, high=1024)
    lora_alpha: float = _option(32.0, "Its scale is this over its rank.", source=_OURS, low=0.001, high=4096)
    lora_dropout: float = _option(
        0.0, "Share of the addition's inputs that is left out at random.",
        source="peft LoraConfig.lora_dropout", low=0, high=0.99,
    )  # fmt: skip
    lora_modules: str = _option("all-linear", "Modules that get one, between commas.", source=_OURS)
    lora_is_scaled_by_root: bool = _option(
        False, "rsLoRA: scale by the root of the rank instead.", source="peft LoraConfig.use_rslora"
    )
    lora_is_decomposed: bool = _option(
        False,
        "DoRA: direction and length are trained apart; its GGUF is the whole model.",
        source="peft LoraConfig.use_dora",
    )
    base_is_in_4_bits: bool = _option(
        False, "QLoRA: the base, which is not trained, is held in 4 bits (NF4, its scales in 8).", source=_OURS
    )
    preference_weight: float = _option(
        0.1,
        "dpo and kto: how strongly the model is held to what it was. orpo: weight of the preference beside the loss of "
        "the better answer.",
        source="trl DPOConfig.beta", low=0, high=100, methods=_PREFERENCES,
    )  # fmt: skip
    preference_loss: str = _option(
        "sigmoid", "Loss of a pair.", source="trl DPOConfig.loss_type", choices=("sigmoid", "hinge", "ipo"),
        methods=("dpo",),
    )  # fmt: skip
    good_weight: float = _option(
        1.0, "Weight of good answers; raise it where they are fewer.",
        source="trl KTOConfig.desirable_weight", low=0, high=1000, methods=("kto",),
    )  # fmt: skip
    bad_weight: float = _option(
        1.0, "Weight of bad answers; raise it where they are fewer.",
        source="trl KTOConfig.undesirable_weight", low=0, high=1000, methods=("kto",),
    )  # fmt: skip
    rewards: str = _option(
        "",
        f"What an answer is rewarded for, each with its weight where that is not 1, such as `json, length=0.5`: "
        f"{', '.join(REWARDS)}.",
        source=_OURS, methods=("grpo",),
    )  # fmt: skip
    reward_pattern: str = _option(
        "", "regex: what must be found in the answer, as Python's `re` writes it.", source=_OURS, methods=("grpo",)
    )
    reward_tokens: int = _option(
        0, "length: how long an answer should be.", source=_OURS, unit="tokens", low=0, high=2**20, methods=("grpo",)
    )
    reward_code: str = _option(
        "", "python: a file with a function `reward(answer, row)` that gives a number.", source=_OURS,
        methods=("grpo",),
    )  # fmt: skip
    runs_code: bool = _option(
        False, "You have read `reward_code`, and let it be run, confined.", source=_OURS, methods=("grpo",)
    )
    judge_model: str = _option("", "judge: the model of this paddock that is asked.", source=_OURS, methods=("grpo",))
    judge_question: str = _option(
        "You are shown a question and an answer. Rate from 0 to 10 how good the answer is. Say the number alone.",
        "judge: what it is told to do. The first number of its reply counts, as tenths.", source=_OURS,
        methods=("grpo",),
    )  # fmt: skip
    group_answers: int = _option(
        8, "Answers to one prompt, which are compared.",
        source="trl GRPOConfig.num_generations", unit="answers", low=2, high=1024, methods=("grpo",),
    )  # fmt: skip
    answer_tokens: int = _option(
        512, "Longest answer that the model gives.",
        source="trl GRPOConfig.max_completion_length", unit="tokens", low=1, high=2**17, methods=("grpo",),
    )  # fmt: skip
    temperature: float = _option(
        1.0, "How freely answers are drawn.", source="trl GRPOConfig.temperature", low=0.01, high=10,
        methods=("grpo",),
    )  # fmt: skip
    top_p: float = _option(
        1.0, "Share of the likeliest tokens that are drawn from.", source="trl GRPOConfig.top_p", low=0.01, high=1,
        methods=("grpo",),
    )  # fmt: skip
    kl_weight: float = _option(
        0.0, "How strongly the model is held to what it was.", source="trl GRPOConfig.beta", low=0, high=100,
        methods=("grpo",),
    )  # fmt: skip
    clip_share: float = _option(
        0.2, "Furthest that a step may change the odds of a token, as a share.",
        source="trl GRPOConfig.epsilon", low=0, high=1, methods=("grpo",),
    )  # fmt: skip
    pooling: str = _option(
        "auto",
        "How the vectors of a text's tokens become one: their mean, that of the first or of the last; auto is as the "
        "base says, else mean.",
        source=_OURS, choices=("auto", "mean", "first", "last"), methods=("embedding",),
    )  # fmt: skip
    similarity_scale: float = _option(
        20.0, "Sharpness with which the right text is told from the others.",
        source="sentence-transformers MultipleNegativesRankingLoss.scale", low=0.1, high=1000, methods=("embedding",),
    )  # fmt: skip
    dry_run: str = _option(
        "first",
        "Two steps on the longest rows, merging, GGUF, the engine and one answer: before the training, instead of it, "
        "or not at all.",
        source=_OURS, choices=("first", "only", "no"),
    )  # fmt: skip
    train_on: str = _option(
        "answers", "What is learnt: every answer, the last answer of a row, or everything.", source=_OURS,
        choices=("answers", "last", "everything"), methods=("sft",),
    )  # fmt: skip
    context_tokens: int = _option(2048, "Longest row.", source=_OURS, unit="tokens", low=8, high=2**20)
    too_long: str = _option(
        "drop", "What becomes of longer rows: left out, cut at the end, or a reason not to begin.", source=_OURS,
        choices=("drop", "cut", "refuse"),
    )  # fmt: skip
    packs: bool = _option(
        False, "Put several rows into one of `context_tokens`; none sees another.",
        source="trl SFTConfig.packing", methods=("sft", "cpt"),
    )  # fmt: skip
    epochs: float = _option(
        1.0, "Times that every row is seen, where `steps` is 0.", source=_OURS, low=0.001, high=10_000
    )
    steps: int = _option(0, "Steps in all; 0 goes by `epochs`.", source=_OURS, unit="steps", low=0, high=10**8)
    batch_rows: int = _option(2, "Rows read at once.", source=_OURS, unit="rows", low=1, high=4096)
    accumulate: int = _option(
        4, "Batches to one step, of all processes together.", source=_OURS, unit="batches", low=1, high=4096
    )
    learning_rate: float = _option(2e-4, "Largest rate.", source=_OURS, low=1e-9, high=10)
    schedule: str = _option("cosine", "How the rate falls.", source=_OURS, choices=("cosine", "linear", "constant"))
    warmup_share: float = _option(0.03, "Share of the steps in which the rate rises.", source=_OURS, low=0, high=1)
    weight_decay: float = _option(0.01, "Pull of every weight towards 0.", source=_OURS, low=0, high=10)
    gradient_clip: float = _option(
        1.0, "Longest gradient; 0 is any.", source="transformers TrainingArguments.max_grad_norm", low=0, high=10**6
    )
    precision: str = _option(
        "auto", "Numbers to compute in; auto takes bf16 where the machine has it.", source=_OURS,
        choices=("auto", "fp32", "bf16"),
    )  # fmt: skip
    saves_memory: bool = _option(
        False, "Compute activations twice instead of keeping them.",
        source="transformers TrainingArguments.gradient_checkpointing",
    )  # fmt: skip
    seed: int = _option(
        0, "The same seed on the same machine gives the same weights.", source=_OURS, low=0, high=2**31 - 1
    )
    threads: int = _option(
        0, "Processor threads; 0 leaves it to torch.", source=_OURS, unit="threads", low=0, high=1024
    )
    makes_room: str = _option(
        "auto",
        "Have serving put models down that nobody uses, and load them again at the end: auto where free memory is less "
        "than the estimate. Pinned models stay, and requests are never interrupted.",
        source=_OURS, choices=("auto", "always", "never"),
    )  # fmt: skip
    processes: int = _option(
        1,
        "Processes that train together, each on a card of its own or all on the processor. They share the batches of a "
        "step, so that a training stays the same.",
        source=_OURS, unit="processes", low=1, high=4096,
    )  # fmt: skip
    strategy: str = _option(
        "ddp", "ddp: each process holds the whole model; fsdp: they divide it between their cards.", source=_OURS,
        choices=("ddp", "fsdp"),
    )  # fmt: skip
    cluster: str = _option(
        "",
        "Where the processes are: empty is this machine; `ray` is a Ray that is started here for the training; else "
        "the address of a Ray that runs, such as `auto` or `10.0.0.5:6379`.",
        source=_OURS,
    )  # fmt: skip
    log_every_steps: int = _option(
        1, "Steps between two figures of the loss.", source=_OURS, unit="steps", low=1, high=10**6
    )
    eval_every_steps: int = _option(
        0, "Steps between two looks at held-out rows; 0 is ten a run.", source=_OURS, unit="steps", low=0, high=10**8
    )
    sample_prompts: str = _option(
        "", "Prompts, a line each, that the model answers whenever held-out rows are looked at; sixteen at most.",
        source=_OURS, unit="lines", methods=_SPEAKING,
    )  # fmt: skip
    sample_tokens: int = _option(
        48, "Longest such answer, in tokens.", source=_OURS, low=1, high=4096, methods=_SPEAKING
    )
    trackers: str = _option(
        "",
        f"Where figures go beside paddock's own page, such as `tensorboard, mlflow`: {', '.join(TRACKERS)}. Each keeps "
        "them on this machine; `wandb=online` and `mlflow=online` send them.",
        source=_OURS,
    )  # fmt: skip
    save_every_steps: int = _option(
        0, "Steps between two checkpoints; 0 is ten a run.", source=_OURS, unit="steps", low=0, high=10**8
    )
    makes_gguf: bool = _option(True, "Write what was trained as GGUF too, which the engine loads.", source=_OURS)
    keep_checkpoints: int = _option(
        2, "Checkpoints that are kept, the newest.", source=_OURS, unit="checkpoints", low=1, high=1000
    )


NAMES: tuple[str, ...] = tuple(option.name for option in fields(TrainSpec))
# Parts between commas, which can be said as a list too.
_LISTS = ("lora_modules", "rewards", "trackers")
# What options are about, by the first of each group: those that follow in `TrainSpec` are about the same.
_GROUPS = {
    "base": "task", "tuning": "lora", "preference_weight": "preferences", "rewards": "rewards",
    "pooling": "embedding", "dry_run": "trial",
    "train_on": "rows", "epochs": "learning", "processes": "machines",
    "log_every_steps": "watching", "makes_gguf": "results",
}  # fmt: skip


def spec_of(given: Mapping[str, Any]) -> TrainSpec:
    """A checked specification of these options. Raises FieldInvalid, whose `param` is the option."""
    values: dict[str, Any] = {}
    for name, raw in given.items():
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Options: {', '.join(NAMES)}."
            raise FieldInvalid(f"{shown(name)} is no option of a training.{hint}", param=name)
        values[name] = _checked(name, raw)
    spec = TrainSpec(**values)
    if not spec.data:
        raise FieldInvalid("data is empty. Name a file of rows to learn from.", param="data")
    refuse_what_excludes(spec)
    return spec


Sample = Row | Pair | Judged | Task | Likeness


def form_of(method: str) -> Callable[[object, str], Sample]:
    """What makes a row for a method of what a file holds at a place; raises FieldInvalid."""
    forms: dict[str, Callable[[object, str], Sample]] = {
        "sft": seen_row_of, "dpo": pair_of, "orpo": pair_of, "kto": judged_of, "grpo": task_of,
        "embedding": likeness_of,
    }  # fmt: skip
    return forms.get(method, row_of)


def as_table(spec: TrainSpec) -> dict[str, Any]:
    """Every option by its name."""
    return asdict(spec)


def checked_data(spec: TrainSpec) -> None:
    """Look whether the rows can be read: the first ones of each file. Raises FieldInvalid."""
    for name in ("data", "eval_data"):
        if path := getattr(spec, name):
            try:
                found = first_rows(path, _LOOKED_AT, form_of(spec.method))
            except FieldInvalid as error:
                raise FieldInvalid(error.message, param=name) from error
            if not found:
                raise FieldInvalid(f"{Path(path).name} has no rows.", param=name)


def as_yaml(options: Mapping[str, Any], *, whole: bool = False) -> str:
    """What `from_yaml` reads: the options that are not at their defaults, or all; also those of another version."""
    import yaml

    defaults = asdict(TrainSpec())
    said = {name: value for name, value in options.items() if whole or name not in defaults or value != defaults[name]}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def from_yaml(text: str) -> TrainSpec:
    """The specification that a YAML file holds. Raises FieldInvalid."""
    return spec_of(options_in(text))


def options_in(text: str) -> dict[str, Any]:
    """The options that a YAML file names, unchecked. Raises FieldInvalid."""
    import yaml

    try:
        said: object = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise FieldInvalid(f"This is no YAML: {str(error).splitlines()[0]}.", param="spec") from error
    if not isinstance(said, dict):
        raise FieldInvalid("A specification is a table of options, such as 'learning_rate: 0.0002'.", param="spec")
    return {str(name): value for name, value in cast("dict[object, Any]", said).items()}


def described() -> list[dict[str, Any]]:
    """Every option for a page or a manual: its name, group, help, kind, range, choices and default."""
    found: list[dict[str, Any]] = []
    group = ""
    for one in fields(TrainSpec):
        group = _GROUPS.get(one.name, group)
        about = {"name": one.name, "group": group, "default": one.default, "kind": type(one.default).__name__}
        found.append({**about, **one.metadata})
    return found


def _checked(name: str, raw: object) -> Value:
    option = TrainSpec.__dataclass_fields__[name]
    default = cast("Value", option.default)
    low, high, choices = (option.metadata[part] for part in ("low", "high", "choices"))
    if name in _LISTS and isinstance(raw, list):
        raw = ", ".join(map(str, cast("list[object]", raw)))
    try:
        value = converted(type(default), raw, name, low=low, high=high)
    except SettingInvalid as error:
        raise FieldInvalid(error.message, param=name) from error
    if choices and value not in choices:
        raise FieldInvalid(f"{name} is {shown(value)}; it must be one of {', '.join(choices)}.", param=name)
    return value
