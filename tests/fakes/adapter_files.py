"""Owns making small LoRA adapters as GGUF files, of random numbers or of zeros; shares no code with what reads them."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence

from tests.fakes.gguf_files import Tensor, gguf

RANK = 4
# Matrices of the bundled model and how many numbers go in and come out.
POCKET: Mapping[str, tuple[int, int]] = {
    f"blk.{block}.{name}.weight": (256, 256) for block in range(5) for name in ("attn_q", "attn_v", "attn_output")
}
# The same of the tiny model of `gguf_files`, whose two tensors are what it has.
TINY: Mapping[str, tuple[int, int]] = {"token_embd.weight": (64, 3)}
ABOUT: Mapping[str, object] = {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 8.0}


def pairs(matrices: Mapping[str, tuple[int, int]], *, seed: int = 0, size: float = 0.0) -> list[Tensor]:
    """Both halves for each matrix. `size` is how far the random numbers reach; the same seed gives the same ones."""
    chance = random.Random(seed)
    made: list[Tensor] = []
    for name, (wide, high) in matrices.items():
        # The table of tokens is looked into, not multiplied with: its halves change places.
        flipped = name == "token_embd.weight"
        for half, shape in (
            ("lora_a", (RANK, high) if flipped else (wide, RANK)),
            ("lora_b", (RANK, wide) if flipped else (RANK, high)),
        ):
            count = shape[0] * shape[1]
            numbers = [chance.uniform(-size, size) for _ in range(count)] if size else [0.0] * count
            made.append(Tensor(f"{name}.{half}", shape, data=struct.pack(f"<{count}f", *numbers)))
    return made


def adapter(
    matrices: Mapping[str, tuple[int, int]] = POCKET,
    *,
    architecture: str = "qwen2",
    seed: int = 0,
    size: float = 0.0,
    more: Mapping[str, object] | None = None,
    without: Sequence[str] = (),
) -> bytes:
    """A whole adapter. With a size of 0.2 it changes all that the bundled model says; of zeros, it changes nothing."""
    about = {"general.architecture": architecture, **ABOUT}
    return gguf(about, pairs(matrices, seed=seed, size=size), more=more, without=without)
