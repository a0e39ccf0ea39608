"""Makes what exports are tried with, by the Python of the training stack: `making.py adapter BASE FOLDER`.

adapter BASE FOLDER        an adapter of every linear layer, by chance, large enough to change answers
model KIND WORDS FOLDER    a small model of a kind, whose weights chance chooses, with the tokenizer in the folder WORDS
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
import transformers
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


# Their configurations are Transformers' own, of a small model.
_SMALL: dict[str, Any] = {
    "vocab_size": 2048, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 4096, "bos_token_id": None, "eos_token_id": 2,
    "pad_token_id": 0, "initializer_range": 0.06, "tie_word_embeddings": False,
}  # fmt: skip
_KINDS: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": {"sliding_window": None},
    "Qwen2": {},
    "Qwen3": {},
    "Qwen3Moe": {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 256, "decoder_sparse_step": 1},
    "Gemma3": {
        "sliding_window": 512,
        "query_pre_attn_scalar": 64,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "Phi3": {"sliding_window": None},
    "Granite": {"attention_multiplier": 0.125, "logits_scaling": 2.0},
    "Lfm2": {"block_ff_dim": 512, "layer_types": ["conv", "full_attention"]},
    "Mamba": {"state_size": 16},
    "FalconH1": {"mamba_d_ssm": 256, "mamba_n_heads": 4, "mamba_d_head": 64, "mamba_d_state": 16},
}


def model(kind: str, words: str, folder: str) -> None:
    """Write a small model of a kind."""
    torch.manual_seed(1)
    name = {"Gemma3": "Gemma3Text"}.get(kind, kind)
    config = getattr(transformers, f"{name}Config")(**_SMALL, **_KINDS[kind])
    made: Any = getattr(transformers, f"{kind}ForCausalLM")(config)
    made.to(torch.bfloat16).save_pretrained(folder)
    for path in Path(words).iterdir():
        if path.name.startswith(("tokenizer", "chat_template", "generation_config")):
            shutil.copy(path, folder)


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    {"adapter": adapter, "model": model, "share": share}[sys.argv[1]](*sys.argv[2:])
