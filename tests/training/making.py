"""Makes what exports are tried with, by the Python of the training stack: `making.py adapter BASE FOLDER`.

adapter BASE FOLDER        an adapter of every linear layer, by chance, large enough to change answers
share BASE FOLDER N MERGED what a base and the adapter in FOLDER come to with N times what was trained, into MERGED
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

os.environ["HF_HUB_OFFLINE"] = "1"


def adapter(base: str, folder: str) -> None:
    """Write an adapter with its tokenizer."""
    torch.manual_seed(1)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    made = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, numbers in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(numbers, std=0.02)
    made.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def share(base: str, folder: str, times: str, merged: str) -> None:
    """Write over the weights of a merged model those with so many times what was trained."""
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    after: Any = PeftModel.from_pretrained(model, folder).merge_and_unload()
    numbers = {name: (before[name] + float(times) * (one - before[name])) for name, one in after.state_dict().items()}
    after.load_state_dict(numbers)
    with tempfile.TemporaryDirectory() as made:
        after.to(torch.bfloat16).save_pretrained(made)
        shutil.copy(Path(made) / "model.safetensors", merged)


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    {"adapter": adapter, "share": share}[sys.argv[1]](*sys.argv[2:])
