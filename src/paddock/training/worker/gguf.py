"""Owns having what was trained written as GGUF; refuses to know how that is done (`models/converting` does)."""

from __future__ import annotations

from pathlib import Path

from paddock.models import converting


def to_gguf(kept: Path, base: Path) -> Path:
    """The file beside an adapter's or a model's folder, whole or not there. Raises PaddockError with the reason."""
    target = kept.with_name(f"{kept.name}.gguf")
    more = ["--base", str(base)] if kept.name == "adapter" else []
    converting.convert("adapter" if more else "model", kept, target, *more)
    return target
