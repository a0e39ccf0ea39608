"""Owns the plainest script that trains by TRL what `bench/training.py` has paddock train.

`PYTHON THIS-FILE ORDER.json`, with the Python of the training stack; it holds nothing of paddock's. Of the order,
`base` and `out` are folders, `data` is a file of rows, and the rest the options by which both train. Prints one line:
when it began to train and when each step ended (seconds of the wall clock), with the tokens that its model had read.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, Features, Json
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class _Noted(TrainerCallback):
    """When the first step ended and the last one, and what was read between."""

    def __init__(self) -> None:
        self.begun_s = 0.0
        self.steps: list[tuple[float, int]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.begun_s = time.time()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        if "loss" in (logs or {}):
            self.steps.append((time.time(), int(state.num_input_tokens_seen)))


def main(order: dict[str, Any]) -> None:
    """Train what is ordered."""
    torch.set_num_threads(order["threads"])
    rows = [json.loads(line) for line in Path(order["data"]).read_text("utf-8").splitlines()]
    table = {name: [row.get(name) for row in rows] for name in ("messages", "tools")}
    data = Dataset.from_dict(table, features=Features({"messages": Json(), "tools": Json()}))
    noted = _Noted()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(order["base"], dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(order["base"]),
        train_dataset=data,
        peft_config=LoraConfig(r=order["rank"], lora_alpha=order["alpha"], target_modules=order["modules"]),
        callbacks=[noted],
        args=SFTConfig(
            output_dir=order["out"],
            max_length=order["context_tokens"],
            max_steps=order["steps"],
            per_device_train_batch_size=order["batch_rows"],
            gradient_accumulation_steps=1,
            learning_rate=order["learning_rate"],
            bf16=False,
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            seed=order["seed"],
            logging_steps=1,
            logging_first_step=True,
            save_strategy="no",
            include_num_input_tokens_seen="non_padding",
            report_to=[],
            disable_tqdm=True,
        ),
    )
    trainer.train()
    print(json.dumps({"begun_s": noted.begun_s, "steps": noted.steps}), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
