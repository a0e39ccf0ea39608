"""Owns making tiny encoder models that the real engine loads: one that embeds, one that ranks. Judges nothing.

Their weights are chance, from a fixed seed: what they say means nothing, and is the same every time.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy

WIDTH, LENGTH, INNER, HEADS = 32, 64, 256, 2
MEAN, RANK = 1, 4
WORDS = ["a", "b", "c", "hay", "barn", "llama", "the", "is", "in", "what", "eats", "hello", "where", "?", "."]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_encoder(path: Path, *, pooling: int = MEAN) -> None:
    """Write a BERT of one layer.

    Args:
        path: the file.
        pooling: `MEAN` for one that embeds, `RANK` for one that ranks.
    """
    tokens = [*_SPECIAL, *(f"\u2581{word}" for word in WORDS), *(chr(code) for code in range(97, 123))]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", pooling)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(_SPECIAL) + [1] * (len(tokens) - len(_SPECIAL)))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_eos_token_id(3)
    writer.add_mask_token_id(4)
    chance = numpy.random.default_rng(7)
    for name, shape in _shapes(len(tokens), ranks=pooling == RANK):
        values = chance.standard_normal(shape).astype(numpy.float32) * 0.2
        if name.endswith("norm.weight"):
            values += 1
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(vocabulary: int, *, ranks: bool) -> list[tuple[str, tuple[int, ...]]]:
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (vocabulary, WIDTH)),
        ("token_types.weight", (2, WIDTH)),
        ("position_embd.weight", (LENGTH, WIDTH)),
    ]
    norms = ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm")
    shapes += [(f"{norm}.{part}", (WIDTH,)) for norm in norms for part in ("weight", "bias")]
    for name, rows, columns in (
        *((f"blk.0.attn_{part}", WIDTH, WIDTH) for part in ("q", "k", "v", "output")),
        ("blk.0.ffn_up", INNER, WIDTH),
        ("blk.0.ffn_down", WIDTH, INNER),
        *((("cls", WIDTH, WIDTH), ("cls.output", 1, WIDTH)) if ranks else ()),
    ):
        shapes += [(f"{name}.weight", (rows, columns)), (f"{name}.bias", (rows,))]
    return shapes
