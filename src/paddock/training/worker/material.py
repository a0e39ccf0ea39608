"""Owns rows as what a trainer reads: tokens, cut and counted here, so that no trainer makes its own of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from datasets import Dataset

from paddock.data.files import rows_in
from paddock.data.masks import IGNORED, Masked, Tokenizer, TrainOn, masked
from paddock.data.preferences import Judged, Pair
from paddock.data.rows import Message, Row
from paddock.errors import FieldInvalid
from paddock.jobs.ended import Voice
from paddock.training.spec import TrainSpec, form_of
from paddock.training.worker.dry_run import hardest


@dataclass(frozen=True, kw_only=True)
class _Texts:
    """What is read of one row: a text, or two that are compared, the better one first; and whether it is good."""

    texts: tuple[Masked, ...]
    is_good: bool = True

    @property
    def longest(self) -> int:
        """Tokens of the longest."""
        return max(len(one.ids) for one in self.texts)

    @property
    def is_learnt_from(self) -> bool:
        """Whether each text has something that trains: of two, one alone says nothing."""
        return all(any(one.trains) for one in self.texts)

    def cut(self, most: int) -> _Texts:
        """The same with no text longer than that."""
        texts = tuple(Masked(ids=one.ids[:most], trains=one.trains[:most]) for one in self.texts)
        return _Texts(texts=texts, is_good=self.is_good)


def material(spec: TrainSpec, tokenizer: Tokenizer, report: Voice) -> tuple[Any, Any]:
    """The rows to train on and those held out, as data sets; None where none is. Raises FieldInvalid."""
    rows, held = rows_of(spec)
    trained, left_out = _texts(rows, spec, tokenizer)
    looked_at, _ = _texts(held, spec, tokenizer)
    if not trained:
        raise FieldInvalid(f"None of the {len(rows)} rows has {spec.context_tokens} tokens or fewer.", param="data")
    if spec.method == "kto" and len({one.is_good for one in trained}) == 1:
        verdict = "good" if trained[0].is_good else "bad"
        raise FieldInvalid(f"Every row's answer is {verdict}; kto learns from good ones and bad ones.", param="data")
    every = [text for one in trained for text in one.texts]
    report.tell(
        "data", rows=len(trained), held_out=len(looked_at), too_long=left_out, too_long_are=spec.too_long,
        tokens=sum(len(one.ids) for one in every), trained_tokens=sum(sum(one.trains) for one in every),
    )  # fmt: skip
    return _dataset(trained, spec), _dataset(looked_at, spec) if looked_at else None


def rows_of(spec: TrainSpec) -> tuple[list[Any], list[Any]]:
    """The rows to train on, no more than are read, and those held out. Raises FieldInvalid."""
    form = form_of(spec.method)
    rows = rows_in(spec.data, form)
    held = rows_in(spec.eval_data, form) if spec.eval_data else []
    if not held and spec.eval_share:
        rows, held = _divided(rows, max(2, round(1 / spec.eval_share)))
    read = spec.steps * spec.batch_rows * spec.accumulate
    if spec.method == "grpo":
        read //= spec.group_answers
    if spec.dry_run == "only" and spec.method != "kto":
        rows, held = hardest(rows, read, spec), held[: spec.batch_rows]
    elif 0 < read < len(rows) and not spec.packs:
        # No more is prepared than is read; which rows is chance, and the same chance each time.
        rows = random.Random(spec.seed).sample(rows, read)
    elif spec.method == "kto":
        # Its trainer reads them in their order, since a row is measured against the one before it.
        rows = random.Random(spec.seed).sample(rows, len(rows))
    return rows, held


def _divided(rows: Sequence[Any], every: int) -> tuple[list[Any], list[Any]]:
    """The rows without every n-th, and these: a file in some order is held out evenly, and the same each time.

    Good and bad answers are counted apart, since a file may have them in turns.
    """
    seen = {True: 0, False: 0}
    kept: list[Any] = []
    held: list[Any] = []
    for row in rows:
        verdict = not isinstance(row, Judged) or row.is_good
        seen[verdict] += 1
        (kept if seen[verdict] % every else held).append(row)
    return kept, held


def _texts(rows: Sequence[Row | Pair | Judged], spec: TrainSpec, tokenizer: Tokenizer) -> tuple[list[_Texts], int]:
    """What is read of these rows, and how many are longer than they may be."""
    found = [one for row in rows for one in _of(row, spec, tokenizer)]
    most = spec.context_tokens
    long = sum(one.longest > most for one in found)
    refuse_longer([one.longest for one in found], spec)
    kept = [one.cut(most) if spec.too_long == "cut" else one for one in found]
    return [one for one in kept if one.longest <= most and one.is_learnt_from], long


def refuse_longer(lengths: Sequence[int], spec: TrainSpec) -> None:
    """Raises FieldInvalid where one of rows of so many tokens is too long, and that is a reason not to begin."""
    most = spec.context_tokens
    long = sum(length > most for length in lengths)
    if long and spec.too_long == "refuse":
        raise FieldInvalid(
            f"{long} of {len(lengths)} rows have more than {most} tokens (the longest {max(lengths)}). "
            "Raise context_tokens, or say too_long 'drop' or 'cut'.",
            param="context_tokens",
        )


def _of(row: Row | Pair | Judged, spec: TrainSpec, tokenizer: Tokenizer) -> list[_Texts]:
    if isinstance(row, Row):
        if row.images:
            raise FieldInvalid(
                f"{row.images[0].place} is an image, and the base reads words alone: it has no processor for images. "
                "Name a base that sees, or leave the images out.",
                param="base",
            )
        train_on: TrainOn = "everything" if spec.method == "cpt" else cast("TrainOn", spec.train_on)
        return [_Texts(texts=(one,)) for one in masked(row, tokenizer, train_on=train_on)]

    def answered(answer: Message) -> Masked:
        whole = Row(messages=(*row.prompt, answer), tools=row.tools)
        return masked(whole, tokenizer, train_on="last")[0]

    if isinstance(row, Pair):
        return [_Texts(texts=(answered(row.chosen), answered(row.rejected)))]
    return [_Texts(texts=(answered(row.answer),), is_good=row.is_good)]


def _dataset(found: Sequence[_Texts], spec: TrainSpec) -> Any:
    rows = [_columns(one, spec) for one in found]
    if spec.method == "kto":
        _compare(rows, spec.batch_rows)
    return Dataset.from_dict({name: [row[name] for row in rows] for name in rows[0]})


def _columns(one: _Texts, spec: TrainSpec) -> dict[str, Any]:
    """As the trainer of the method takes it."""
    first = one.texts[0]
    if spec.method in ("sft", "cpt"):
        return {"input_ids": first.ids, "labels": first.labels}
    prompt, answer = _halves(first)
    if spec.method == "kto":
        return {"prompt_ids": prompt, "completion_ids": answer, "label": one.is_good}
    if spec.method == "dpo":
        return {"prompt_ids": prompt, "chosen_ids": answer, "rejected_ids": _halves(one.texts[1])[1]}
    return {
        f"{name}_{column}": value
        for name, text in zip(("chosen", "rejected"), one.texts, strict=True)
        for column, value in _sequence(text).items()
    }


def _halves(text: Masked) -> tuple[list[int], list[int]]:
    """The prompt's tokens and the answer's; what follows the token that ends the answer is left out."""
    begin = text.trains.index(True)
    return text.ids[:begin], text.ids[begin : begin + sum(text.trains)]


def _sequence(text: Masked) -> dict[str, list[int]]:
    prompt, answer = _halves(text)
    ids = [*prompt, *answer]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [IGNORED] * len(prompt) + answer}


def _compare(rows: Sequence[dict[str, Any]], batch_rows: int) -> None:
    """Give each row the answer of the one before it in its batch: by such pairs kto measures how far the model went."""
    for begin in range(0, len(rows), batch_rows):
        batch = rows[begin : begin + batch_rows]
        answers = [row["completion_ids"] for row in batch]
        for row, other in zip(batch, [answers[-1], *answers[:-1]], strict=True):
            row["KL_completion_ids"] = other
