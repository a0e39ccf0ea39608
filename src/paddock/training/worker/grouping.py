"""Owns learning from rewards: prompts that the model answers in groups, and TRL's trainer that compares them.

A prompt is handed to the trainer as the number of its row. Its tokens are made here, as the server would send them, and
an answer is judged with the marks of its template, in which calls of tools are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from paddock.data.masks import Tokenizer, asking
from paddock.data.preferences import Task
from paddock.data.rows import Row
from paddock.errors import FieldInvalid
from paddock.jobs.ended import Voice
from paddock.training.rewards import Answer, Rule, calls_in, rules_of
from paddock.training.spec import TrainSpec
from paddock.training.worker.backend import without_copy
from paddock.training.worker.material import rows_of

# Answers to each held-out prompt: as few as can be compared.
_LOOKS = 2


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A task with its prompt's tokens."""

    task: Task
    ids: list[int]


class _Grpo(GRPOTrainer):
    # Set behind the making, before anything is asked.
    asked: Sequence[_Asked] = ()

    def _tokenize_prompts(self, prompts: Any) -> Any:
        return [self.asked[int(number)].ids for number in prompts], None, {}


def grouping(
    spec: TrainSpec,
    shared: Callable[[int, bool], dict[str, Any]],
    common: dict[str, Any],
    report: Voice,
    judged_at: str,
) -> Any:
    """The trainer of grpo, which reads its rows itself. Raises FieldInvalid.

    `shared` makes the settings that every trainer gets, by the number of answers that are read and whether rows are
    held out; `judged_at` is where a
    model can be asked for rewards.
    """
    tokenizer = common["processing_class"]
    rules = rules_of(spec, judged_at)
    rows, held = rows_of(spec)
    asked = _fitting(rows, spec, tokenizer)
    looked_at = _fitting(held, spec, tokenizer)
    if not asked:
        raise FieldInvalid(
            f"None of the {len(rows)} prompts leaves room for {spec.answer_tokens} tokens of answer in "
            f"{spec.context_tokens}. Raise context_tokens, or lower answer_tokens.",
            param="data",
        )
    if "tool_call" in rules:
        _refuse_calls_unread(asked, tokenizer)
    report.tell(
        "data", rows=len(asked), held_out=len(looked_at), too_long=len(rows) - len(asked), too_long_are=spec.too_long,
        tokens=sum(len(one.ids) for one in asked),
    )  # fmt: skip
    every = [*asked, *looked_at]
    config = GRPOConfig(
        **shared(len(asked) * spec.group_answers, bool(looked_at)) | {
            "per_device_eval_batch_size": _LOOKS * spec.batch_rows, "include_num_input_tokens_seen": "no",
        },
        num_generations=spec.group_answers, num_generations_eval=_LOOKS, max_completion_length=spec.answer_tokens,
        temperature=spec.temperature, top_p=spec.top_p, beta=spec.kl_weight, epsilon=spec.clip_share,
        reward_weights=[weight for _, weight in rules.values()],
    )  # fmt: skip
    trainer = _Grpo(
        args=config,
        reward_funcs=[_judge(name, rule, every, tokenizer) for name, (rule, _) in rules.items()],
        **common | {
            "train_dataset": _numbers(0, len(asked)),
            "eval_dataset": _numbers(len(asked), len(every)) if looked_at else None,
        },
    )  # fmt: skip
    trainer.asked = every
    return without_copy(trainer)


def _numbers(begin: int, end: int) -> Any:
    return Dataset.from_dict({"prompt": [str(number) for number in range(begin, end)]})


def _fitting(tasks: Sequence[Task], spec: TrainSpec, tokenizer: Any) -> list[_Asked]:
    """The tasks whose prompt leaves room for an answer."""
    every = [_Asked(task=one, ids=asking(_row(one), cast("Tokenizer", tokenizer))) for one in tasks]
    most = spec.context_tokens - spec.answer_tokens
    fitting = [one for one in every if len(one.ids) <= most]
    if len(fitting) < len(every) and spec.too_long == "refuse":
        raise FieldInvalid(
            f"{len(every) - len(fitting)} of {len(every)} prompts have more than {most} tokens: context_tokens "
            "without answer_tokens. Raise context_tokens, or say too_long 'drop'.",
            param="context_tokens",
        )
    return fitting


def _row(task: Task) -> Row:
    return Row(messages=task.prompt, tools=task.tools)


def _judge(name: str, rule: Rule, asked: Sequence[_Asked], tokenizer: Any) -> Callable[..., list[float]]:
    """A rule as the trainer calls it."""

    def judge(prompts: Sequence[str], completion_ids: Sequence[list[int]], **more: Any) -> list[float]:
        tasks = [asked[int(number)].task for number in prompts]
        return rule(
            [
                Answer(
                    text=_text(ids, tokenizer),
                    tokens=len(ids),
                    expected=task.expected,
                    row=task.row,
                    question=str(task.prompt[-1]["content"]),
                )
                for task, ids in zip(tasks, completion_ids, strict=True)
            ]
        )

    judge.__name__ = name
    return judge


def _text(ids: list[int], tokenizer: Any) -> str:
    """An answer's text without the token that ends it."""
    said = ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids
    return str(tokenizer.decode(said, skip_special_tokens=False)).strip()


def _refuse_calls_unread(asked: Sequence[_Asked], tokenizer: Any) -> None:
    """Raises FieldInvalid where the right calls, as the template writes them, would not be known as calls."""
    one = next((one for one in asked if one.task.expected), None)
    if one is None:
        raise FieldInvalid(
            "rewards has tool_call, and no row says which calls are right: give rows tool_calls, or messages that end "
            "with an answer that calls.",
            param="data",
        )
    answer = {"role": "assistant", "content": "", "tool_calls": list(one.task.expected)}
    written = tokenizer.apply_chat_template(
        [*one.task.prompt, answer], tools=list(one.task.tools) or None, tokenize=False, add_generation_prompt=False
    )
    said = written.rpartition("<tool_call>")
    found = calls_in(said[1] + said[2]) if said[1] else None
    if not found or found[-1] != dict(one.task.expected[-1]["function"]):
        raise FieldInvalid(
            "rewards has tool_call, and this model's template writes calls in a way that is not read here (known: "
            "<tool_call> with JSON). Reward by python instead.",
            param="rewards",
        )
