"""Owns rows with images as what a trainer reads: tokens that are made once, and pixels that are made for each batch.

An image is read twice: before the first step, where one that cannot be read or makes a row too long shows, and whenever
its row is due, since the pixels of all rows together fill more memory than a machine has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from paddock.data.files import folder_of
from paddock.data.masks import IGNORED, Masked, TrainOn
from paddock.data.pictures import Picture, read
from paddock.data.rows import Row
from paddock.errors import FieldInvalid
from paddock.jobs.ended import Voice
from paddock.training.spec import TrainSpec
from paddock.training.worker.material import refuse_longer, rows_of
from paddock.training.worker.seeing import Eyes, Sight

_Seen = tuple[Sight, tuple[Picture, ...]]


def looking(
    spec: TrainSpec, shared: Callable[[int, bool], dict[str, Any]], common: dict[str, Any], report: Voice
) -> Any:
    """The trainer of answers to images, which reads its rows itself. Raises FieldInvalid.

    `shared` makes the settings that every trainer gets, by the number of rows and whether some are held out.
    """
    eyes: Eyes = common["processing_class"]
    folder = folder_of(spec.data)
    held_folder = folder_of(spec.eval_data) if spec.eval_data else folder
    rows, held = rows_of(spec)
    found, long = _fitting(rows, folder, spec, eyes)
    looked_at, _ = _fitting(held, held_folder, spec, eyes)
    if not found:
        raise FieldInvalid(f"None of the {len(rows)} rows has {spec.context_tokens} tokens or fewer.", param="data")
    report.tell(
        "data", rows=len(found), held_out=len(looked_at), too_long=long, too_long_are=spec.too_long,
        images=sum(len(pictures) for _, pictures in found), tokens=sum(len(one.text.ids) for one, _ in found),
        trained_tokens=sum(sum(one.text.trains) for one, _ in found),
    )  # fmt: skip
    config = SFTConfig(
        **shared(len(found), bool(looked_at)), max_length=None, remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    return SFTTrainer(
        args=config, **common | {"processing_class": eyes.tokenizer}, train_dataset=dataset(found, folder),
        eval_dataset=dataset(looked_at, held_folder) if looked_at else None,
        data_collator=partial(batch, eyes),
    )  # fmt: skip


def _fitting(rows: Sequence[Row], folder: Path, spec: TrainSpec, eyes: Eyes) -> tuple[list[_Seen], int]:
    """The rows that are learnt from, with their images, and how many are longer than they may be."""
    found: list[_Seen] = []
    for row in rows:
        images = [read(picture, folder) for picture in row.images]
        sights = eyes.sights(row, images, train_on=cast("TrainOn", spec.train_on))
        found += [(one, row.images[: one.images]) for one in sights]
    lengths = [len(one.text.ids) for one, _ in found]
    refuse_longer(lengths, spec)
    kept = [(cut(one, spec), pictures) for one, pictures in found]
    fitting = [(one, pictures) for one, pictures in kept if one and any(one.text.trains)]
    return fitting, sum(length > spec.context_tokens for length in lengths)


def cut(one: Sight, spec: TrainSpec) -> Sight | None:
    """The same, no longer than it may be; None where it is left out. No image is cut into, nor cut off."""
    most = spec.context_tokens
    if len(one.text.ids) <= most:
        return one
    if spec.too_long != "cut" or one.whole_tokens > most:
        return None
    text = Masked(ids=one.text.ids[:most], trains=one.text.trains[:most])
    return replace(one, text=text, more={name: said[:most] for name, said in one.more.items()})


def dataset(found: Sequence[_Seen], folder: Path) -> Any:
    """The rows as data; `folder` is where their files of images are looked for."""
    names = sorted({name for one, _ in found for name in one.more})
    return Dataset.from_list(
        [
            {
                "input_ids": one.text.ids,
                "labels": one.text.labels,
                # Not `images`: a trainer would make its own of these.
                "pictures": [picture.source for picture in pictures],
                "places": [picture.place for picture in pictures],
                "folder": str(folder),
                **{name: one.more.get(name, [0] * len(one.text.ids)) for name in names},
            }
            for one, pictures in found
        ]
    )


def batch(eyes: Eyes, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of one length, filled up behind their ends, with the numbers of their images."""
    most = max(len(one["input_ids"]) for one in examples)
    of_tokens = [name for name in examples[0] if name not in ("pictures", "places", "folder")]
    fill = {"input_ids": eyes.pad_token_id, "labels": IGNORED}
    made = {
        name: torch.tensor([[*one[name], *[fill.get(name, 0)] * (most - len(one[name]))] for one in examples])
        for name in of_tokens
    }
    made["attention_mask"] = torch.tensor(
        [[1] * len(one["input_ids"]) + [0] * (most - len(one["input_ids"])) for one in examples]
    )
    images = [
        [
            read(Picture(source=source, place=place), Path(one["folder"]))
            for source, place in zip(one["pictures"], one["places"], strict=True)
        ]
        for one in examples
    ]
    return {**made, **eyes.of_images(images)}
