"""Owns TRL's trainers of preferences; refuses to let them make tokens of rows by themselves.

Each makes tokens of every data set that it is given. They are taken here with that one step left out, so that what
was masked, cut and counted is what is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from paddock.training.spec import TrainSpec
from paddock.training.worker.backend import without_copy


class _Dpo(DPOTrainer):
    def _prepare_dataset(self, dataset: Any, *more: Any) -> Any:
        return dataset


class _Kto(KTOTrainer):
    def _prepare_dataset(self, dataset: Any, *more: Any) -> Any:
        return dataset


class _Orpo(ORPOTrainer):
    def tokenize_row(self, feature: Any, model: Any = None) -> Any:
        """Nothing: the row is tokens already."""
        return {}


class _CountedOrpo:
    """ORPO's batches with both sides under the names by which Transformers counts tokens."""

    def __init__(self, collate: Callable[[Any], dict[str, Any]]) -> None:
        self._collate = collate

    def __call__(self, rows: Any) -> dict[str, Any]:
        batch = self._collate(rows)
        for name in ("input_ids", "attention_mask"):
            batch[name] = torch.cat([batch[f"{side}_{name}"].flatten() for side in ("chosen", "rejected")])
        return batch


def preferring(spec: TrainSpec, shared: dict[str, Any], common: dict[str, Any], reference: Callable[[], Any]) -> Any:
    """The trainer of dpo, orpo or kto, by the settings and arguments that every trainer gets.

    `reference` loads the model as it was.
    """
    if spec.method == "orpo":
        config = ORPOConfig(
            **shared, beta=spec.preference_weight, max_length=spec.context_tokens, remove_unused_columns=False
        )
        trainer = _Orpo(args=config, **common)
        trainer.data_collator = _CountedOrpo(trainer.data_collator)
        return trainer
    # An addition is switched off to compare; a whole model needs another one beside it.
    common = {**common, "ref_model": reference() if spec.tuning == "full" else None}
    shared = {**shared, "beta": spec.preference_weight, "max_length": None}
    if spec.method == "kto":
        config = KTOConfig(**shared, desirable_weight=spec.good_weight, undesirable_weight=spec.bad_weight)
        return without_copy(_Kto(args=config, **common))
    return without_copy(_Dpo(args=DPOConfig(**shared, loss_type=spec.preference_loss), **common))
