"""Has what was trained say the colours of images, by Transformers alone: run with the Python of the stack.

`read_seen.py MODEL BASE ADAPTER IMAGE…`: prints JSON, what the model answers to each image, and how far the scores of
the base with its adapter lie from the model's; BASE and ADAPTER may be "-".
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor


def main(folder: str, base: str, adapter: str, *images: str) -> None:
    """Print it."""
    processor: Any = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval()
    parts = [{"type": "image"}, {"type": "text", "text": "Which colour?"}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )
    shown = [[Image.open(image).convert("RGB")] for image in images]
    asked = [processor(text=[text], images=[one], return_tensors="pt") for one in shown]
    with torch.no_grad():
        found = [model.generate(**one, max_new_tokens=8, do_sample=False) for one in asked]
        said = [
            processor.tokenizer.decode(one[0, ask["input_ids"].shape[1] :], skip_special_tokens=True)
            for one, ask in zip(found, asked, strict=True)
        ]
        apart = 0.0
        if base != "-":
            both: Any = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), adapter).eval()
            apart = max(float((both(**one).logits - model(**one).logits).abs().max()) for one in asked)
    print(json.dumps({"said": said, "apart": apart}))


if __name__ == "__main__":
    main(*sys.argv[1:])
