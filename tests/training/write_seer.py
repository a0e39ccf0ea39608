"""Writes a very small model that sees, of chance weights, into a folder: run with the Python of the stack.

`write_seer.py FORM FOLDER`; FORM is how it puts images among tokens: `llava` or `gemma3`.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    set_seed,
)

SIDE, PATCH, WIDTH, SIGHT = 16, 4, 64, 32
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}"
    "{% if p.type == 'image' %}MARK{% else %}{{ p.text }}{% endif %}{% endfor %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
VISION = {
    "hidden_size": SIGHT, "intermediate_size": 2 * SIGHT, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": PATCH,
}  # fmt: skip
TEXT = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4}


def tokenizer(marks: Sequence[str]) -> Any:
    """One whose every character is a token."""
    names = ["<pad>", "<begin>", "<end>", "<unknown>", "<user>", "<assistant>", *marks]
    tokens = [*names, *string.printable]
    made = Tokenizer(models.BPE(vocab={one: place for place, one in enumerate(tokens)}, merges=[], unk_token=names[3]))
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=names[0], bos_token=names[1], eos_token=names[2], unk_token=names[3],
        additional_special_tokens=names[4:],
    )  # fmt: skip


def llava() -> tuple[Any, Any]:
    """A fixed number of tokens to an image."""
    words = tokenizer(["<image>"])
    side = {"height": SIDE, "width": SIDE}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size=side, crop_size=side), tokenizer=words, patch_size=PATCH,
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE.replace("MARK", "<image>"),
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION, projection_dim=SIGHT).to_dict(),
        text_config=LlamaConfig(**TEXT, vocab_size=len(words), pad_token_id=0, eos_token_id=2).to_dict(),
        image_token_id=words.convert_tokens_to_ids("<image>"), vision_feature_layer=-1,
        image_seq_length=(SIDE // PATCH) ** 2,
    )  # fmt: skip
    return LlavaForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    """Tokens of an image between two others, and a figure beside every token that tells which are an image's."""
    marks = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"}
    words = tokenizer(list(marks.values()))
    for name, mark in marks.items():
        words.init_kwargs[name] = mark
        setattr(words, name, mark)
        setattr(words, f"{name}_id", words.convert_tokens_to_ids(mark))
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE}), tokenizer=words,
        image_seq_length=4, chat_template=TEMPLATE.replace("MARK", "<boi>"),
    )  # fmt: skip
    ids = {f"{name.removesuffix('_token')}_token_id": words.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    ids = {{"boi_token_id": "boi_token_index", "eoi_token_id": "eoi_token_index"}.get(n, n): i for n, i in ids.items()}
    config = Gemma3Config(
        text_config={
            **TEXT, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": len(words), "pad_token_id": 0,
            "eos_token_id": 2,
        },
        vision_config=VISION, mm_tokens_per_image=4, **ids,
    )  # fmt: skip
    return Gemma3ForConditionalGeneration(config), processor


def write(form: str, folder: Path) -> None:
    """A model with its processor."""
    set_seed(0)
    model, processor = {"llava": llava, "gemma3": gemma3}[form]()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
