"""Owns making headers of architectures from plain values, and asking what they need; judges nothing."""

from __future__ import annotations

from pathlib import Path

from paddock.models.fit import Load, Memory, estimate
from paddock.models.gguf import GgufHeader, read_header
from tests.fakes.gguf_files import BOOL, I32, Tensor, Typed, gguf


def header_of(folder: Path, architecture: str, **keys: object) -> GgufHeader:
    """A header of an architecture; `__` in a key stands for its dot."""
    common: dict[str, object] = {
        "general.architecture": architecture,
        "tokenizer.ggml.tokens": ["a"] * 100,
        f"{architecture}.block_count": 4,
        f"{architecture}.embedding_length": 512,
        f"{architecture}.feed_forward_length": 1024,
    }
    named = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    path = folder / "m.gguf"
    path.write_bytes(gguf({**common, **named}, [Tensor("output_norm.weight", (64,))]))
    return read_header(path)


def kv(header: GgufHeader, *, context: int = 4096, slots: int = 1, batch: int = 512, **how: object) -> int:
    return needs(header, context=context, slots=slots, batch=batch, **how).kv_bytes


def needs(header: GgufHeader, *, context: int = 4096, slots: int = 1, batch: int = 512, **how: object) -> Memory:
    load: dict[str, object] = {"context_tokens": context, "slots": slots, "batch_tokens": batch, **how}
    return estimate(header, Load(**load))  # pyright: ignore[reportArgumentType]


def integers(*values: int) -> Typed:
    return Typed(list(values), 9, I32)


def flags(*values: bool) -> Typed:
    return Typed(list(values), 9, BOOL)
