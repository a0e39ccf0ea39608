"""Owns making a tiny projector that lets pocket take in images, for trying the way of an image; refuses to train it.

    python tools/pocket/projector.py src/paddock/models/bundled/pocket-v0-Q8_0.gguf mmproj-pocket-F16.gguf

The engine needs a second file beside a model that sees: the image encoder and the layer behind it, whose width is the
model's. This one has the plainest shape that the engine reads (`mlp`: patches, one attention block, two layers), a
square of 4 × 4 patches, and random weights, the same at every run. The model gets sixteen embeddings for an image and
learns nothing from them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gguf
import numpy as np

PATCH_PIXELS = 8
SIDE_PATCHES = 4
WIDTH = 32
FEED_FORWARD = 64
HEADS = 2
IMAGE_TOKENS = SIDE_PATCHES * SIDE_PATCHES
SEED = 7


def main() -> None:
    """Write the projector that fits a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="GGUF file of the model that is to take in images")
    parser.add_argument("target", type=Path, help="file to write")
    options = parser.parse_args()
    write(options.target, width=width_of(options.model))


def width_of(model: Path) -> int:
    """The width of a model's embeddings, as its GGUF file says."""
    fields: Any = gguf.GGUFReader(model).fields
    architecture = fields["general.architecture"].contents()
    return int(fields[f"{architecture}.embedding_length"].contents())


def write(target: Path, *, width: int) -> None:
    """Write the projector for a model whose embeddings are `width` numbers wide (about 70 kB for 256)."""
    writer: Any = gguf.GGUFWriter(target, "clip")
    writer.add_type("mmproj")
    writer.add_name("pocket's eyes, untrained")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_use_gelu(True)
    writer.add_vision_image_size(PATCH_PIXELS * SIDE_PATCHES)
    writer.add_vision_patch_size(PATCH_PIXELS)
    writer.add_vision_embedding_length(WIDTH)
    writer.add_vision_feed_forward_length(FEED_FORWARD)
    writer.add_vision_projection_dim(width)
    writer.add_vision_block_count(1)
    writer.add_vision_head_count(HEADS)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])
    for name, values in _tensors(width).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(width: int) -> dict[str, Any]:
    """Every tensor by its name, in numpy's order of dimensions (the last one varies fastest)."""
    chance = np.random.RandomState(SEED)

    def weight(*shape: int) -> Any:
        return (chance.standard_normal(shape) * 0.05).astype(np.float16)

    def flat(size: int, value: float = 0.0) -> Any:
        return np.full(size, value, np.float32)

    tensors: dict[str, Any] = {
        "v.patch_embd.weight": weight(WIDTH, 3, PATCH_PIXELS, PATCH_PIXELS),
        "v.class_embd": weight(WIDTH).astype(np.float32),
        "v.position_embd.weight": weight(IMAGE_TOKENS + 1, WIDTH),
        "v.pre_ln.weight": flat(WIDTH, 1.0),
        "v.pre_ln.bias": flat(WIDTH),
        "mm.0.weight": weight(width, WIDTH),
        "mm.0.bias": flat(width),
        "mm.2.weight": weight(width, width),
        "mm.2.bias": flat(width),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensors[f"v.blk.0.{name}.weight"] = weight(WIDTH, WIDTH)
        tensors[f"v.blk.0.{name}.bias"] = flat(WIDTH)
    for name in ("ln1", "ln2"):
        tensors[f"v.blk.0.{name}.weight"] = flat(WIDTH, 1.0)
        tensors[f"v.blk.0.{name}.bias"] = flat(WIDTH)
    for name, rows, columns in (("ffn_up", FEED_FORWARD, WIDTH), ("ffn_down", WIDTH, FEED_FORWARD)):
        tensors[f"v.blk.0.{name}.weight"] = weight(rows, columns)
        tensors[f"v.blk.0.{name}.bias"] = flat(rows)
    return tensors


if __name__ == "__main__":
    main()
