"""Owns which weights of a base an adapter changes, by the headers of both; reads no weight, and computes nothing.

An adapter whose every part belongs to one matrix of the base's files can be merged matrix by matrix, so that the model
is never held. Others (whole modules beside, experts kept together, tables of tokens, files of another form) cannot.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

from paddock.models.weights import header_of, told_in
from paddock.values import table_in

_PART = re.compile(r"base_model\.model\.(?P<module>.+)\.(lora_[AB]\.weight|lora_magnitude_vector(\.weight)?)")
_KEPT_AS = ("BF16", "F16", "F32")
_TABLES = ("embed", "wte", "lm_head")


def changed_by(adapter: Path, base: Path) -> frozenset[str] | None:
    """The names of the matrices in the base's files that an adapter changes; None where they are not told apart."""
    settings = table_in(adapter / "adapter_config.json")
    try:
        parts, _ = header_of(adapter / "adapter_model.safetensors")
        kept = {name: told for file in sorted(base.glob("*.safetensors")) for name, told in told_in(file).items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, struct.error):
        return None
    if str(settings.get("peft_type", "")).upper() != "LORA" or settings.get("modules_to_save"):
        return None
    found: set[str] = set()
    for part in parts:
        read = _PART.fullmatch(part)
        name = f"{read['module']}.weight" if read else ""
        dtype, shape = kept.get(name, ("", ()))
        if len(shape) != 2 or dtype not in _KEPT_AS:
            return None
        if any(word in name for word in _TABLES):
            # What stands behind the last layer may be the same table, under no name of its own.
            return None
        found.add(name)
    return frozenset(found) or None
