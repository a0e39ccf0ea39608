"""Owns having what was trained written as GGUF; refuses to know how that is done (`models/converting` does)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from paddock.models import converting


def to_gguf(kept: Path, base: Path) -> Path:
    """The file beside an adapter's or a model's folder, whole or not there. Raises PaddockError with the reason."""
    target = kept.with_name(f"{kept.name}.gguf")
    if kept.name != "adapter":
        converting.convert("model", kept, target)
        return target
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=kept.parent) as folder:
        scaled = converting.as_engines_scale(kept, Path(folder))
        converting.convert("adapter", scaled, target, "--base", str(base))
    return target
