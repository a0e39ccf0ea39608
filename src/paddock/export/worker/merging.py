"""Owns writing a model with its adapter made part of it, as files of Transformers; refuses to judge it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors import safe_open

from paddock.errors import PaddockError
from paddock.export.worker.source import Source

# The largest number that F16 holds.
_F16_MOST = 65504.0
_SHARD = "4GB"


def merge(source: Source, target: Path) -> None:
    """Write the merged model into a folder, whole or not at all. Raises OSError or PaddockError."""
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    model: Any = source.merged().to(source.dtype())
    model.save_pretrained(draft, max_shard_size=_SHARD)
    del model
    for name, path in source.companions().items():
        shutil.copyfile(path, draft / name)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def refuse_beyond_f16(folder: Path) -> None:
    """Raises PaddockError where a weight is a number that F16 does not hold."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no table
                most = float(tensors.get_tensor(name).abs().max())
                if not most <= _F16_MOST:
                    raise PaddockError(
                        f"{name} holds {most:g}, and F16 holds numbers up to {_F16_MOST:.0f}. Export BF16 or F32."
                    )
