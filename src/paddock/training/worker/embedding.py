"""Owns learning which texts are alike: an encoder whose vectors of a pair come to lie nearer than those of others.

Every other positive of a batch stands for what is not alike, and a row's own negative beside them. Refuses to know how
steps are told and checkpoints sealed, which is as for every other method.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from paddock.data.likenesses import Likeness
from paddock.errors import FieldInvalid
from paddock.jobs.ended import Voice
from paddock.training.libraries import refuse_lacking
from paddock.training.spec import TrainSpec
from paddock.training.worker.material import rows_of

_LOOKED_AT_MOST = 1000


class Encoders:
    """Encoders as sentence-transformers has them."""

    def load(self, base: Path, spec: TrainSpec, checkpoint: Path | None = None) -> tuple[Any, Any]:
        """The model and its tokenizer; its trainer reads checkpoints itself. Raises FieldInvalid."""
        refuse_lacking(spec, lambda module: importlib.util.find_spec(module) is not None)
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            if spec.pooling == "auto" and (base / "modules.json").is_file():
                model = SentenceTransformer(str(base), device=device, trust_remote_code=False)
            else:
                words = Transformer(str(base), config_kwargs={"trust_remote_code": False})
                how = {"auto": "mean", "first": "cls", "last": "lasttoken"}.get(spec.pooling, spec.pooling)
                pooled = Pooling(words.get_embedding_dimension(), how)
                model = SentenceTransformer(modules=[words, pooled, Normalize()], device=device)
        except (OSError, ValueError, KeyError) as error:
            raise FieldInvalid(f"{base} cannot be trained: {str(error).splitlines()[0]}", param="base") from error
        kinds = [type(one).__name__ for one in model]
        more = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        if more and (spec.makes_gguf or spec.dry_run != "no"):
            raise FieldInvalid(
                f"{base.name} has a part {more[0]} behind its pooling, which GGUF does not hold: the engine would give "
                "other vectors. Say makes_gguf false and dry_run no.",
                param="makes_gguf",
            )
        most = getattr(model[0].auto_model.config, "max_position_embeddings", spec.context_tokens)
        model.max_seq_length = min(spec.context_tokens, most)
        return model.to(torch.float32), model.tokenizer

    def keep(self, model: Any, tokenizer: Any, folder: Path, state: Any = None) -> Path:
        """Write what was trained, as sentence-transformers reads it: whole, or not at all. Raises OSError."""
        assert state is None, "several processes do not train embeddings"
        draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        model.save_pretrained(str(draft), create_model_card=False)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        return folder


def embedding(
    spec: TrainSpec, shared: Callable[[int, bool], dict[str, Any]], common: dict[str, Any], report: Voice
) -> Any:
    """The trainer of embedding, which reads its rows itself. Raises FieldInvalid.

    `shared` makes the settings that every trainer gets, by the number of rows and whether some are held out.
    """
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    class Trainer(SentenceTransformerTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> Any:
            if model.training:
                masks = [value for name, value in inputs.items() if name.endswith("attention_mask")]
                state: Any = self.state
                state.num_input_tokens_seen += sum(int(mask.sum()) for mask in masks)
            above: Any = super()
            return above.compute_loss(model, inputs, *more, **named)

    model = common["model"]
    rows, held = rows_of(spec)
    found, long = _fitting(rows, spec, model)
    looked_at, _ = _fitting(held, spec, model)
    if len(found) < 2:
        raise FieldInvalid(
            f"{len(found)} of the {len(rows)} rows can be learnt from, and each is compared with others. Give more, or "
            "raise context_tokens.",
            param="data",
        )
    _refuse_some_negatives([*found, *looked_at])
    report.tell(
        "data", rows=len(found), held_out=len(looked_at), too_long=long, too_long_are=spec.too_long,
        tokens=sum(_tokens(text, model) for one in found for text in one.texts),
    )  # fmt: skip
    looks = len(looked_at) > 1
    config = SentenceTransformerTrainingArguments(
        **shared(len(found), looks) | {"include_num_input_tokens_seen": "no"},
        batch_sampler=BatchSamplers.NO_DUPLICATES, eval_on_start=looks,
    )  # fmt: skip
    made: Any = Trainer
    return made(
        model=model, args=config, callbacks=common["callbacks"], train_dataset=_dataset(found),
        eval_dataset=_dataset(looked_at) if looks else None,
        loss=MultipleNegativesRankingLoss(model, scale=spec.similarity_scale),
        evaluator=_nearest(looked_at[:_LOOKED_AT_MOST]) if looks else None,
    )  # fmt: skip


def _fitting(rows: Sequence[Likeness], spec: TrainSpec, model: Any) -> tuple[list[Likeness], int]:
    """The rows that are learnt from, and how many are too long; those are cut by the model where that is wished."""
    most = model.max_seq_length
    long = [max(_tokens(text, model) for text in one.texts) > most for one in rows]
    if any(long) and spec.too_long == "refuse":
        raise FieldInvalid(
            f"{sum(long)} of {len(rows)} rows have a text of more than {most} tokens, which is as long as this model "
            "and context_tokens let one be. Say too_long 'drop' or 'cut'.",
            param="context_tokens",
        )
    kept = [one for one, is_long in zip(rows, long, strict=True) if spec.too_long == "cut" or not is_long]
    return kept, sum(long)


def _tokens(text: str, model: Any) -> int:
    return len(model.tokenizer(text, add_special_tokens=True, truncation=False, verbose=False)["input_ids"])


def _refuse_some_negatives(rows: Sequence[Likeness]) -> None:
    with_one = sum(bool(one.negative) for one in rows)
    if 0 < with_one < len(rows):
        raise FieldInvalid(
            f"{with_one} of {len(rows)} rows have a negative. Give every row one, or none.", param="data"
        )


def _dataset(rows: Sequence[Likeness]) -> Any:
    names = ("anchor", "positive", "negative")[: len(rows[0].texts)]
    return Dataset.from_dict({name: [getattr(one, name) for one in rows] for name in names})


def _nearest(rows: Sequence[Likeness]) -> Any:
    """What tells the share of held-out texts to which, of every held-out positive and negative, its own is nearest."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    class Nearest(BaseEvaluator):
        def __call__(self, model: Any, *more: Any, **named: Any) -> dict[str, float]:
            was_training = model.training
            others = list(dict.fromkeys(text for one in rows for text in one.texts[1:]))
            asked, found = (
                model.encode(texts, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False)
                for texts in ([one.anchor for one in rows], others)
            )
            best: list[int] = (asked @ found.T).argmax(dim=1).tolist()
            model.train(was_training)
            right = sum(others[place] == one.positive for place, one in zip(best, rows, strict=True))
            return {"nearest_share": right / len(rows)}

    made: Any = Nearest
    return made()
