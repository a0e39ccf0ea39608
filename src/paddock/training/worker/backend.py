"""Owns loading a model, adding what is trained to it, and keeping that: by Transformers and PEFT alone."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from paddock.errors import FieldInvalid
from paddock.training.exclusions import modules_of, refuse_unknown_modules
from paddock.training.libraries import refuse_lacking
from paddock.training.spec import TrainSpec


class Plain:
    """Transformers and PEFT, as they are."""

    # What makes a model of a folder.
    models: Any = AutoModelForCausalLM
    # Whether the model with its addition is kept too, since no engine adds it.
    keeps_merged = False

    def reader(self, base: Path) -> Any:
        """What makes tokens of texts: the tokenizer. Raises OSError, ValueError, KeyError or FieldInvalid."""
        return AutoTokenizer.from_pretrained(base, trust_remote_code=False)

    def load(self, base: Path, spec: TrainSpec, checkpoint: Path | None = None) -> tuple[Any, Any]:
        """The model and its tokenizer; the model as it was at a checkpoint of all its weights. Raises FieldInvalid.

        A trainer would read that checkpoint by the names that weights have in memory, and keep silent about each that
        it does not find: of models whose files have other names, such as those that see, it would be none.
        """
        try:
            tokenizer = self.reader(base)
            model = self.models.from_pretrained(
                checkpoint or base, dtype=torch.float32, trust_remote_code=False, quantization_config=_in_4_bits(spec)
            )
        except (OSError, ValueError, KeyError) as error:
            raise FieldInvalid(f"{base} cannot be trained: {str(error).splitlines()[0]}", param="base") from error
        if spec.method != "cpt" and not tokenizer.chat_template:
            raise FieldInvalid(
                f"{base.name} has no chat template, so it learns no answers. Say method cpt.", param="base"
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return model, tokenizer

    def add_lora(self, model: Any, spec: TrainSpec) -> Any:
        """The model with an addition, which alone is trained. Raises FieldInvalid."""
        wanted = modules_of(spec)
        if spec.base_is_in_4_bits:
            for one in model.modules():
                # Where the processor has bf16, bitsandbytes packs a weight anew at the first look at held-out rows, in
                # a way that cannot be trained with after.
                if hasattr(one, "support_avx512bf16_for_cpu"):
                    one.support_avx512bf16_for_cpu = False
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=spec.saves_memory)
        config = LoraConfig(
            r=spec.lora_rank, lora_alpha=spec.lora_alpha, lora_dropout=spec.lora_dropout,
            use_rslora=spec.lora_is_scaled_by_root,
            use_dora=spec.lora_is_decomposed, task_type="CAUSAL_LM",
            target_modules=wanted or "all-linear",
        )  # fmt: skip
        linear = {name.rpartition(".")[2] for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
        refuse_unknown_modules(spec, linear)
        made = get_peft_model(model, config)
        if spec.lora_is_decomposed:
            _refuse_empty_rows(made)
        return made

    def keep(self, model: Any, tokenizer: Any, folder: Path, state: Any = None) -> Path:
        """Write what was trained into a folder beside this one: an adapter, or a model. Raises OSError.

        `state` are the weights where the model has only a part of them.
        """
        return _written(model, tokenizer, folder, "adapter" if isinstance(model, PeftModel) else "model", state)

    def keep_merged(self, model: Any, tokenizer: Any, folder: Path, *, base: Path, spec: TrainSpec) -> Path:
        """Write the model with its addition made part of it, which ends the addition. Raises OSError.

        One that is held in 4 bits cannot be written as GGUF, and one that is divided not be merged: what `keep` wrote
        is then added to the base anew.
        """
        if spec.base_is_in_4_bits or spec.strategy == "fsdp":
            dtype = torch.bfloat16 if spec.base_is_in_4_bits else torch.float32
            whole = self.models.from_pretrained(base, dtype=dtype, trust_remote_code=False)
            model = PeftModel.from_pretrained(whole, folder.with_name("adapter"))
        return _written(model.merge_and_unload(safe_merge=True), tokenizer, folder, "model")


def _written(model: Any, tokenizer: Any, folder: Path, kind: str, state: Any = None) -> Path:
    """Written whole, or not at all."""
    target, draft = folder.with_name(kind), folder.with_name(f".{kind}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    model.save_pretrained(draft, state_dict=state)
    tokenizer.save_pretrained(draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return target


def _in_4_bits(spec: TrainSpec) -> Any:
    """How a base is held in 4 bits; None where it is not. Raises FieldInvalid."""
    if not spec.base_is_in_4_bits:
        return None
    refuse_lacking(spec, lambda module: importlib.util.find_spec(module) is not None)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32 if spec.precision == "fp32" else torch.bfloat16,
    )  # fmt: skip


def _refuse_empty_rows(model: Any) -> None:
    """Raises FieldInvalid where a weight has rows of zeros: DoRA divides by their length."""
    for name, one in model.named_modules():
        if (base := getattr(one, "base_layer", None)) is not None and getattr(one, "lora_magnitude_vector", None):
            empty = int((base.weight == 0).all(dim=1).sum())
            if empty:
                raise FieldInvalid(
                    f"lora_is_decomposed (DoRA) divides by the length of each row of a weight, and {empty} rows of "
                    f"{name.removeprefix('base_model.model.')} are 0. Say lora_is_decomposed false, or leave that "
                    "module out of lora_modules.",
                    param="lora_is_decomposed",
                )


def without_copy(trainer: Any) -> Any:
    """A trainer without the copy of the addition that TRL makes to compare with.

    The copy is of an addition that adds nothing yet, so the model with none is the same. With it, Transformers writes
    checkpoints of two, and reads of these the copy alone: a training that is gone on with would begin anew.
    """
    if "ref" in getattr(trainer.model, "peft_config", {}):
        trainer.model.delete_adapter("ref")
    return trainer
