"""Merges adapters of several kinds matrix by matrix and as a whole: `merging_both_ways.py BASE FOLDER SOURCES`.

Run with the Python of the stack; SOURCES is where paddock's modules lie. Prints one line of JSON: by kind of adapter,
whether it went by matrices, which tensors differ between the two, and what the certificate's own figures are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": {"use_rslora": True, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"up_proj": 64}},
    "dora": {"use_dora": True},
    "tables": {"target_modules": ["q_proj", "embed_tokens"]},
}


def adapter(base: str, folder: Path, **settings: Any) -> None:
    """Write an adapter of chance numbers."""
    torch.manual_seed(3)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    told = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    made: Any = get_peft_model(model, LoraConfig(**told))
    for name, numbers in made.named_parameters():
        if "lora_" in name:
            numbers.data.add_(0.02 * torch.randn_like(numbers))
    made.save_pretrained(folder)


def main(base: str, folder: str, sources: str) -> None:
    """Try each kind."""
    sys.path.insert(0, sources)
    from paddock.export.worker import joining, measuring, merging
    from paddock.export.worker.source import Source

    found: dict[str, Any] = {}
    for kind, settings in KINDS.items():
        place = Path(folder) / kind
        adapter(base, place / "adapter", **settings)
        source = Source(base=Path(base), adapter=place / "adapter")
        merging.merge(source, place / "merged")
        joints = joining.joints_of(source)
        whole = source.merged().to(source.dtype()).state_dict()
        made = load_file(place / "merged" / "model.safetensors")
        found[kind] = {
            "by_matrices": joints is not None,
            "differing": [name for name, numbers in made.items() if not torch.equal(numbers, whole[name])],
            "weights": measuring.joined_weights(source.base, joints, place / "merged") if joints else None,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    main(*sys.argv[1:])
