"""Owns writing a model with its adapter made part of it, as files of Transformers; refuses to judge it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from paddock.errors import PaddockError
from paddock.export.worker.source import Source
from paddock.models.weights import header_of

# The largest number that F16 holds.
_F16_MOST = 65504.0
_SHARD = "4GB"
# By kind of number: the integer of its size, the bits but for the sign, and the first whose number F16 does not hold.
_BITS = {"BF16": (np.uint16, 0x7FFF, 0x4780), "F32": (np.uint32, 0x7FFFFFFF, 0x477FF000)}
_PIECE_NUMBERS = 2**22


def merge(source: Source, target: Path) -> None:
    """Write the merged model into a folder, whole or not at all. Raises OSError or PaddockError."""
    # Slow to import, and of no use to the steps that begin with a model as it is.
    from paddock.export.worker import joining

    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    if (joints := joining.joints_of(source)) is not None:
        draft.mkdir()
        joining.write(source.base, joints, draft)
        shutil.copyfile(source.base / "config.json", draft / "config.json")
    else:
        model: Any = source.merged().to(source.dtype())
        model.save_pretrained(draft, max_shard_size=_SHARD)
        del model
    for name, path in source.companions().items():
        shutil.copyfile(path, draft / name)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def copy_adapter(source: Source, target: Path) -> None:
    """Write what was trained, without its base, into a folder as it is, whole or not at all. Raises OSError."""
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for path in sorted(source.needed_adapter.iterdir()):
        # What only a training goes on with is of no use, and holds code.
        if path.is_file() and path.name != "training_args.bin":
            shutil.copyfile(path, draft / path.name)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def refuse_beyond_f16(folder: Path) -> None:
    """Raises PaddockError where a weight is a number that F16 does not hold."""
    for file in sorted(folder.glob("*.safetensors")):
        header, begin = header_of(file)
        for name, told in header.items():
            if told["dtype"] not in _BITS:
                continue
            kind, magnitude, limit = _BITS[told["dtype"]]
            first, last = told["data_offsets"]
            at = begin + first
            while at < begin + last:
                # The bits of a number without its sign are ordered as its size is; what is no number is the largest.
                bits = np.fromfile(file, kind, min(_PIECE_NUMBERS, (begin + last - at) // kind().itemsize), offset=at)
                at += bits.nbytes
                np.bitwise_and(bits, magnitude, out=bits)
                if (most := bits.max()) >= limit:
                    number = float(
                        (np.uint32(most) << (16 if kind is np.uint16 else 0)).astype(np.uint32).view(np.float32)
                    )
                    raise PaddockError(
                        f"{name} holds {number:g}, and F16 holds numbers up to {_F16_MOST:.0f}. Export BF16 or F32."
                    )
